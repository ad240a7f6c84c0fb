import Foundation
import LinajeArtifacts
import LinajeDomain
import Testing

@Suite("Chunker") struct ChunkerTests {
    @Test("the gear table is that of the golden vectors")
    func gear() throws {
        let file = try vectors("chunks")
        let expected = try #require(file["gear"] as? [String: Any])
        var table: [UInt8] = []
        for word in Chunker.gear {
            withUnsafeBytes(of: word.bigEndian) { table.append(contentsOf: $0) }
        }
        #expect(
            ContentHasher.digest(table).description == expected["sha256OfTableBigEndian"] as? String
        )
    }

    @Test("chunks are those of the golden vectors")
    func golden() throws {
        let file = try vectors("chunks")
        let inputs = try #require(file["inputs"] as? [[String: Any]])
        #expect(inputs.count > 10)
        for input in inputs {
            let name = try #require(input["name"] as? String)
            let parts = try #require(input["parts"] as? [[String: Any]])
            let bytes = try content(parts)
            #expect(
                ContentHasher.digest(bytes).description == input["sha256"] as? String, "\(name)")
            let lengths = cut(bytes, pieces: [bytes.count])
            #expect(lengths == input["lengths"] as? [Int], "\(name)")
            if let first = lengths.first {
                let digest = ContentHasher.digest(Array(bytes.prefix(first)))
                #expect(digest.description == input["firstChunk"] as? String, "\(name)")
            }
            if let last = lengths.last {
                let digest = ContentHasher.digest(Array(bytes.suffix(last)))
                #expect(digest.description == input["lastChunk"] as? String, "\(name)")
            }
        }
    }

    @Test("how a stream is split over calls makes no difference", arguments: [1, 2, 3] as [UInt64])
    func splits(seed: UInt64) {
        let bytes = SplitMix64.bytes(seed: seed, count: 700_000)
        let whole = cut(bytes, pieces: [bytes.count])
        #expect(whole.count > 3)
        var generator = SplitMix64(seed: seed)
        for limit in [1_000, 16_384, 70_000] {
            var pieces: [Int] = []
            while pieces.reduce(0, +) < bytes.count {
                pieces.append(Int.random(in: 0...limit, using: &generator))
            }
            #expect(cut(bytes, pieces: pieces) == whole, "seed \(seed), pieces up to \(limit)")
        }
    }

    @Test("one byte at a time gives the same chunks, also at the bounds")
    func bytewise() {
        let bytes = SplitMix64.bytes(seed: 9, count: 200_000)
        #expect(
            cut(bytes, pieces: Array(repeating: 1, count: bytes.count))
                == cut(bytes, pieces: [bytes.count]))
    }

    @Test("a byte in front moves few cuts")
    func insertion() {
        let bytes = SplitMix64.bytes(seed: 4, count: 1_500_000)
        let before = digests(bytes)
        let after = digests([7] + bytes)
        #expect(after.subtracting(before).count <= 3)
    }

    private func content(_ parts: [[String: Any]]) throws -> [UInt8] {
        var out: [UInt8] = []
        for part in parts {
            switch part["kind"] as? String {
            case "hex": out += try hex(part, "hex")
            case "byte":
                let byte = try #require(part["byte"] as? Int)
                let length = try #require(part["length"] as? Int)
                out += Array(repeating: UInt8(byte), count: length)
            case "splitmix64":
                let text = try #require(part["seed"] as? String)
                let seed = try #require(UInt64(text))
                out += SplitMix64.bytes(seed: seed, count: try #require(part["length"] as? Int))
            default: Issue.record("a part of an unknown kind")
            }
        }
        return out
    }

    /// Lengths of the chunks when the stream comes in `pieces`.
    private func cut(_ bytes: [UInt8], pieces: [Int]) -> [Int] {
        var chunker = Chunker()
        var lengths: [Int] = []
        var current = 0
        bytes.withUnsafeBytes { all in
            var start = 0
            for piece in pieces where start < all.count {
                var rest = UnsafeRawBufferPointer(
                    rebasing: all[start..<min(start + piece, all.count)])
                start += rest.count
                while let length = chunker.cut(rest) {
                    lengths.append(current + length)
                    current = 0
                    rest = UnsafeRawBufferPointer(rebasing: rest[length...])
                }
                current += rest.count
            }
        }
        return current > 0 ? lengths + [current] : lengths
    }

    private func digests(_ bytes: [UInt8]) -> Set<SHA256Digest> {
        var start = 0
        return Set(
            cut(bytes, pieces: [bytes.count]).map { length in
                defer { start += length }
                return ContentHasher.digest(Array(bytes[start..<start + length]))
            })
    }
}
