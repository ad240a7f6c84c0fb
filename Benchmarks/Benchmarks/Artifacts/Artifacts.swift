import Benchmark
import LinajeArtifacts
import LinajeDomain

/// splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

private let mebibyte = 1 << 20
/// Bytes without a pattern.
private let random: [UInt8] = {
    var source = SplitMix(state: 1)
    return (0..<mebibyte).map { _ in UInt8.random(in: 0...255, using: &source) }
}()
/// Small numbers as float32: the upper bytes of weights are alike.
private let weights: [UInt8] = {
    var source = SplitMix(state: 2)
    var bytes: [UInt8] = []
    while bytes.count < mebibyte {
        let sum = (0..<12).reduce(Float(-6)) { sum, _ in
            sum + Float.random(in: 0..<1, using: &source)
        }
        withUnsafeBytes(of: (sum * 0.02).bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }
    return bytes
}()
private let text = Array(
    String(repeating: "the loss of the run went down and the model was registered. ", count: 20_000)
        .utf8.prefix(mebibyte))

/// A mebibyte in chunks of 64 KiB.
private func blobs(_ content: [UInt8]) -> [RawBlob] {
    stride(from: 0, to: content.count, by: 64 << 10).map { start in
        let chunk = Array(content[start..<min(start + 64 << 10, content.count)])
        return RawBlob(
            key: BlobKey(.chunk, ContentHasher.digest(chunk)), content: chunk)
    }
}

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock], maxDuration: .seconds(2),
        // The machines are shared: up to twice as long is still noise.
        thresholds: [.wallClock: .init(relative: [.p90: 100])])

    Benchmark("chunker.1-MiB-of-random-bytes") { benchmark in
        for _ in benchmark.scaledIterations {
            var chunker = Chunker()
            var cuts = 0
            random.withUnsafeBytes { bytes in
                var rest = bytes[...]
                while let length = chunker.cut(UnsafeRawBufferPointer(rebasing: rest)) {
                    rest = rest.dropFirst(length)
                    cuts += 1
                }
            }
            blackHole(cuts)
        }
    }

    Benchmark("SHA-256.1-MiB") { benchmark in
        for _ in benchmark.scaledIterations { blackHole(ContentHasher.digest(random)) }
    }

    for (name, content) in [("random", random), ("weights", weights), ("text", text)] {
        Benchmark("chunks-of-1-MiB-of-\(name).encode") { benchmark in
            let blobs = blobs(content)
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { blackHole(try BlobEncoding.encode(blobs)) }
        }

        Benchmark("chunks-of-1-MiB-of-\(name).decode") { benchmark in
            let encoded = try BlobEncoding.encode(blobs(content))
            let pack = PackName(ContentHasher.digest([]))
            let located = encoded.map { blob in
                (
                    blob.stored,
                    BlobLocation(
                        key: blob.key, pack: pack, offset: 0,
                        storedLength: UInt32(blob.stored.count),
                        contentLength: blob.contentLength, codec: blob.codec, check: blob.check)
                )
            }
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                for (stored, location) in located {
                    blackHole(try BlobEncoding.decode(stored, at: location))
                }
            }
        }
    }
}
