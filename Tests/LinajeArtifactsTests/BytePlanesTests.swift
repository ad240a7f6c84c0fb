import Foundation
import LinajeDomain
import Testing

@testable import LinajeArtifacts

@Suite("Byte planes") struct BytePlanesTests {
    /// Gaussian numbers, standard deviation 0.02, as weights are.
    private static func weights(_ count: Int, seed: UInt64) -> [Float] {
        var random = SplitMix64(seed: seed)
        func unit() -> Double { (Double(random.next() >> 11) + 1) * 0x1p-53 }
        return (0..<count).map { _ in
            Float(0.02 * (-2 * log(unit())).squareRoot() * cos(2 * .pi * unit()))
        }
    }

    private static func bytes<Number>(_ numbers: [Number]) -> [UInt8] {
        numbers.withUnsafeBytes { Array($0) }
    }

    private func encoded(_ content: [UInt8]) throws -> EncodedBlob {
        let key = BlobKey(.chunk, ContentHasher.digest(content))
        let blob = try #require(
            try BlobEncoding.encode([RawBlob(key: key, content: content)]).first)
        let location = BlobLocation(
            key: key, pack: PackName(ContentHasher.digest([])), offset: 8,
            storedLength: UInt32(blob.stored.count), contentLength: blob.contentLength,
            codec: blob.codec, check: blob.check)
        #expect(try BlobReader.content(blob.stored, at: location) == content)
        return blob
    }

    @Test("joining planes undoes splitting them, whatever is left over", arguments: [2, 4, 8])
    func roundTrip(width: Int) {
        for count in 0..<40 {
            let content = SplitMix64.bytes(seed: UInt64(count), count: count)
            let layout = PlaneLayout(width: width)
            let planes = content.withUnsafeBytes { BytePlanes.split($0, layout) }
            for (place, byte) in content.enumerated() where place < count / width * width {
                #expect(planes[place % width * (count / width) + place / width] == byte)
            }
            #expect(planes.withUnsafeBytes { BytePlanes.join($0, layout) } == content)
        }
    }

    @Test("elements that are turned have their exponent in the last plane", arguments: [2, 4])
    func turned(width: Int) {
        for first in 0..<width {
            let layout = PlaneLayout(width: width, turnedFrom: first)
            for count in 0..<40 {
                let content = SplitMix64.bytes(seed: UInt64(count), count: count)
                let planes = content.withUnsafeBytes { BytePlanes.split($0, layout) }
                #expect(planes.count == count)
                #expect(planes.withUnsafeBytes { BytePlanes.join($0, layout) } == content)
                let length = max(0, count - first) / width
                for index in 0..<length {
                    let high = content[first + index * width + width - 1]
                    let next = content[first + index * width + width - 2]
                    #expect(planes[(width - 1) * length + index] == high &<< 1 | next &>> 7)
                }
            }
        }
    }

    @Test("Gaussian float32 shrinks by 16.7 % and bf16 by 33.5 % in chunks of 64 KiB")
    func weightsShrink() throws {
        let floats = Self.weights(1 << 14, seed: 1)
        let wide = try encoded(Self.bytes(floats))
        #expect(wide.codec.planes == PlaneLayout(width: 4, turnedFrom: 0))
        #expect(Double(wide.stored.count) / 65_536 <= 0.833)
        let halves = Self.weights(1 << 15, seed: 2).map {
            UInt16(truncatingIfNeeded: $0.bitPattern >> 16)
        }
        let narrow = try encoded(Self.bytes(halves))
        #expect(narrow.codec.planes == PlaneLayout(width: 2, turnedFrom: 0))
        #expect(Double(narrow.stored.count) / 65_536 <= 0.665)
    }

    @Test("each kind of content gets the codec that suits it")
    func choice() throws {
        let doubles = Self.bytes(Self.weights(8_192, seed: 3).map { Double($0) * 1.0001 })
        #expect(try encoded(doubles).codec == .planes8)
        let tokens = Self.bytes((0..<8_192).map { UInt32($0 * 2_654_435_761 % 50_257) })
        #expect(try encoded(tokens).codec == .planes4)
        let text = (0..<4_000).map { "step \($0 * 7_919 % 1_000) loss 0.\($0 * 31 % 977)\n" }
            .joined()
        #expect(try encoded(Array(text.utf8)).codec == .zstd)
        #expect(try encoded(SplitMix64.bytes(seed: 4, count: 65_536)).codec == .stored)
        #expect(try encoded([UInt8](repeating: 0, count: 65_536)).codec == .zstd)
        // Weights that repeat: what the compressor finds is worth more than planes.
        let block = Self.bytes(Self.weights(256, seed: 5))
        let repeated = try encoded(Array([[UInt8]](repeating: block, count: 64).joined()))
        #expect(repeated.codec == .zstd && repeated.stored.count < 2_000)
    }

    @Test("a chunk that begins inside of an element is no worse", arguments: 1...3)
    func unaligned(offset: Int) throws {
        let all = Self.bytes(Self.weights(1 << 14, seed: 6))
        let blob = try encoded(Array(all.dropFirst(offset)))
        #expect(blob.codec.planes == PlaneLayout(width: 4, turnedFrom: 4 - offset))
        #expect(Double(blob.stored.count) / Double(all.count - offset) <= 0.834)
    }

    @Test("the golden vector is read")
    func goldenVector() throws {
        let blobs = try #require(try vectors("packs")["planes"] as? [[String: Any]])
        #expect(!blobs.isEmpty)
        for vector in blobs {
            let (frame, content) = (try hex(vector, "hex"), try hex(vector, "content"))
            let location = BlobLocation(
                key: BlobKey(.chunk, ContentHasher.digest(content)),
                pack: PackName(ContentHasher.digest([])), offset: 8,
                storedLength: UInt32(frame.count), contentLength: UInt32(content.count),
                codec: BlobCodec(rawValue: UInt8(try #require(vector["codec"] as? Int))),
                check: BlobCheck(ContentHasher.digest(frame)))
            #expect(try BlobReader.content(frame, at: location) == content)
        }
    }
}
