import Glibc

/// Guesses from a sample of a chunk whether its byte planes would compress better than itself.
///
/// Counts how often each byte stands at each of eight places, and adds up the entropy (Shannon,
/// with the correction of Miller and Madow for small samples) of planes of 1, 2, 4 and 8 bytes. That
/// is what an entropy coder makes of noise with a shape, as weights are; repeats it does not see,
/// which `BlobEncoding` asks the compressor for.
struct CodecProbe {
    /// Looked at, in slices of a quarter each.
    static let sampleBytes = 16 << 10
    /// Content that is shorter is not worth a guess.
    static let minimumContent = 1 << 10
    /// What a block of its own costs each plane: its header, and the better part of an entropy table.
    private static let planeOverhead = 16
    /// Planes must promise to be so much smaller than what is simpler.
    private static let margin = 0.98
    /// Turned planes cost no more than others: a little is worth it.
    private static let turnedMargin = 0.997

    /// The sample, its slices at multiples of 8 bytes from the beginning of the content.
    let sample: [UInt8]
    /// How they would be laid out, and what the sample is likely to take then; `nil`: the content is
    /// no better in planes.
    let planes: (layout: PlaneLayout, bytes: Double)?

    /// `n · log2 n` for every count there can be.
    private static let terms: [Double] =
        [0] + (1...sampleBytes).map { Double($0) * log2(Double($0)) }

    init(_ content: [UInt8]) {
        let sample = Self.sample(of: content)
        self.sample = sample
        guard content.count >= Self.minimumContent, !Self.isText(sample) else {
            planes = nil
            return
        }
        var counts = [Int32](repeating: 0, count: 8 * 256)
        sample.withUnsafeBufferPointer { sample in
            for index in sample.indices { counts[(index & 7) &<< 8 | Int(sample[index])] &+= 1 }
        }
        var best = (width: 1, bytes: Self.bytes(counts, width: 1))
        for width in [2, 4, 8] {
            let bytes = Self.bytes(counts, width: width)
            if bytes < best.bytes * Self.margin { best = (width, bytes) }
        }
        guard best.width > 1 else {
            planes = nil
            return
        }
        let plain = (PlaneLayout(width: best.width), best.bytes)
        let turned = Self.turned(sample, counts, width: best.width)
        planes = turned.flatMap { $0.bytes < best.bytes * Self.turnedMargin ? $0 : nil } ?? plain
    }

    /// The same of elements turned left by one bit, as if they ended with the byte that varies least:
    /// there are the exponents.
    private static func turned(
        _ sample: [UInt8], _ counts: [Int32], width: Int
    ) -> (layout: PlaneLayout, bytes: Double)? {
        guard width < 8 else { return nil }
        let entropies = (0..<width).map { plane(counts, $0, width: width) }
        guard let exponent = entropies.indices.min(by: { entropies[$0] < entropies[$1] }) else {
            return nil
        }
        let layout = PlaneLayout(width: width, turnedFrom: (exponent + 1) % width)
        // A slice holds whole elements, but for the one that its end cuts.
        var turned = [Int32](repeating: 0, count: 8 * 256)
        let slice = sample.count == sampleBytes ? sampleBytes / 4 : sample.count
        for begin in stride(from: 0, to: sample.count - slice + 1, by: max(1, slice)) {
            let planes = sample[begin..<begin + slice].withUnsafeBytes {
                BytePlanes.split($0, layout)
            }
            let count = (slice - (layout.turnedFrom ?? 0)) / width
            planes.withUnsafeBufferPointer { planes in
                for place in 0..<width {
                    for index in place * count..<(place + 1) * count {
                        turned[place &<< 8 | Int(planes[index])] &+= 1
                    }
                }
            }
        }
        return (layout, bytes(turned, width: width))
    }

    /// Whether it is printable ASCII, which has no elements of a width.
    private static func isText(_ sample: [UInt8]) -> Bool {
        sample.allSatisfy { $0 &- 0x20 < 0x5F || $0 &- 0x09 < 0x05 }
    }

    private static func sample(of content: [UInt8]) -> [UInt8] {
        guard content.count > sampleBytes else { return content }
        let slice = sampleBytes / 4
        let distance = (content.count - slice) / 3 & ~7
        return (0..<4).flatMap { content[$0 * distance..<$0 * distance + slice] }
    }

    /// What the sample takes when the bytes of each of `width` places are coded for themselves.
    private static func bytes(_ counts: [Int32], width: Int) -> Double {
        (0..<width).reduce(0) { $0 + plane(counts, $1, width: width) } / 8
            + Double(width * planeOverhead)
    }

    /// Bits that one plane takes.
    private static func plane(_ counts: [Int32], _ plane: Int, width: Int) -> Double {
        let terms = terms
        var total = 0
        var sum = 0.0
        var kinds = 0
        for byte in 0..<256 {
            var count = 0
            var place = plane
            while place < 8 {
                count &+= Int(counts[place &<< 8 | byte])
                place &+= width
            }
            guard count > 0 else { continue }
            total &+= count
            kinds &+= 1
            sum += terms[count]
        }
        return terms[total] - sum + Double(max(0, kinds - 1)) / (2 * M_LN2)
    }
}
