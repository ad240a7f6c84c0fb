import LinajeArtifacts
import LinajeDomain
import Testing

@Suite("BlobEncoding") struct BlobEncodingTests {
    @Test("content comes back, compressed where that is smaller and stored where not")
    func roundTrip() throws {
        let contents: [(bytes: [UInt8], codec: BlobCodec)] = [
            ([1], .stored), ([1, 2, 3], .stored),
            (SplitMix64.bytes(seed: 1, count: 100_000), .stored),
            ([UInt8](repeating: 0, count: 262_144), .zstd),
            (Array("linaje ".utf8) + Array(repeating: 65, count: 500), .zstd),
        ]
        let raw = contents.map {
            RawBlob(key: BlobKey(.chunk, ContentHasher.digest($0.bytes)), content: $0.bytes)
        }
        for (blob, expected) in zip(try BlobEncoding.encode(raw), contents) {
            #expect(blob.codec == expected.codec)
            #expect(
                expected.codec == .stored
                    ? blob.stored == expected.bytes : blob.stored.count < expected.bytes.count)
            #expect(try BlobReader.content(blob.stored, at: location(blob)) == expected.bytes)
        }
    }

    @Test("content out of bounds is refused", arguments: [0, (1 << 20) + 1])
    func bounds(count: Int) {
        let raw = RawBlob(
            key: BlobKey(.chunk, ContentHasher.digest([])),
            content: [UInt8](repeating: 0, count: count))
        let error = #expect(throws: LinajeError.self) { try BlobEncoding.encode([raw]) }
        #expect(error?.code == .limitExceeded)
    }

    @Test(
        "unknown codecs are refused by name",
        arguments: [12, 100, 255] as [UInt8])
    func codecs(codec: UInt8) {
        let error = #expect(throws: LinajeError.self) {
            try BlobEncoding.decode([1], at: location(1, content: 1, BlobCodec(rawValue: codec)))
        }
        #expect(error?.code == .storeTooNew)
        #expect(error?.message.contains("codec \(codec)") == true)
    }

    /// Frames by hand: RFC 8878.
    private static let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
    /// Single segment, content size in 4 bytes; one RLE block, the last, of `count` zeros.
    private static func frame(declaring size: UInt32, yielding count: UInt32) -> [UInt8] {
        var out = magic + [0xA0]
        LittleEndian.append(size, to: &out)
        let block = count << 3 | 1 << 1 | 1
        return out + [UInt8(block & 255), UInt8(block >> 8 & 255), UInt8(block >> 16 & 255), 0]
    }

    @Test("a frame made by hand is read")
    func byHand() throws {
        let frame = BlobEncodingTests.frame(declaring: 1_000, yielding: 1_000)
        #expect(
            try BlobEncoding.decode(frame, at: location(frame.count, content: 1_000))
                == [UInt8](repeating: 0, count: 1_000))
    }

    @Test("frames that lie, need much or are not one are refused")
    func bombs() {
        let good = BlobEncodingTests.frame(declaring: 1_000, yielding: 1_000)
        let window23: UInt8 = 13 << 3  // 2^23
        let windowOver: UInt8 = 13 << 3 | 1  // 2^23 + 2^20
        let rle: [UInt8] = [0x43, 0x1F, 0x00, 0x00]  // last, RLE, 1000
        let sized: [UInt8] = [0xE8, 0x03, 0, 0]  // 1000
        #expect(
            decodes(BlobEncodingTests.magic + [0x80, window23] + sized + rle, content: 1_000))
        let bad: [(String, [UInt8], UInt32)] = [
            (
                "window over 8 MiB", BlobEncodingTests.magic + [0x80, windowOver] + sized + rle,
                1_000
            ),
            ("largest window", BlobEncodingTests.magic + [0x80, 255] + sized + rle, 1_000),
            (
                "yields more than it declares",
                BlobEncodingTests.frame(declaring: 1_000, yielding: 1_001), 1_000
            ),
            (
                "yields less than it declares",
                BlobEncodingTests.frame(declaring: 1_000, yielding: 999), 1_000
            ),
            (
                "declares more than the index",
                BlobEncodingTests.frame(declaring: 1_001, yielding: 1_001), 1_000
            ),
            ("declares 4 GiB", BlobEncodingTests.frame(declaring: .max, yielding: 1_000), 1_000),
            ("declares nothing", BlobEncodingTests.magic + [0x00, window23] + rle, 1_000),
            ("a second frame", good + good, 1_000),
            ("a byte after it", good + [0], 1_000),
            ("a skippable frame before it", [0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0] + good, 1_000),
            ("a dictionary", BlobEncodingTests.magic + [0xA1, 7] + sized + rle, 1_000),
            ("no frame", [UInt8](repeating: 0, count: 20), 1_000),
            ("nothing", [], 1_000),
        ]
        for (name, bytes, content) in bad {
            let error = #expect(throws: LinajeError.self, "\(name)") {
                try BlobEncoding.decode(bytes, at: location(bytes.count, content: content))
            }
            #expect(error?.code == .corrupt, "\(name)")
        }
    }

    @Test("a frame that claims more than any frame of its length yields takes no memory")
    func ratio() {
        let frame = BlobEncodingTests.frame(declaring: 1 << 30, yielding: 131_072)
        let error = #expect(throws: LinajeError.self) {
            try BlobEncoding.decode(
                frame, at: location(frame.count, content: 1 << 30, kind: .tree))
        }
        #expect(error?.code == .corrupt)
        #expect(throws: LinajeError.self) {
            try BlobEncoding.decode(frame, at: location(frame.count, content: 1 << 30))
        }
    }

    @Test("a frame cut anywhere is refused")
    func torn() throws {
        let content =
            Array("abcdefgh".utf8) + [UInt8](repeating: 9, count: 3_000)
            + SplitMix64.bytes(seed: 3, count: 50)
        let raw = RawBlob(key: BlobKey(.chunk, ContentHasher.digest(content)), content: content)
        let blob = try #require(try BlobEncoding.encode([raw]).first)
        #expect(blob.codec == .zstd)
        for length in 0..<blob.stored.count {
            #expect(throws: LinajeError.self, "\(length) bytes") {
                try BlobEncoding.decode(
                    Array(blob.stored.prefix(length)),
                    at: location(length, content: UInt32(content.count)))
            }
        }
    }

    @Test("a blob's check is of its stored bytes, whatever its kind and codec")
    func checks() throws {
        let plain = SplitMix64.bytes(seed: 5, count: 200)
        let soft = [UInt8](repeating: 7, count: 2_000)
        let recipes = [
            Recipe(size: 0, chunks: []),
            Recipe(
                size: 3_000,
                chunks: Array(
                    repeating: .init(digest: ContentHasher.digest([1]), length: 10), count: 300)),
        ].map { RawBlob(key: BlobKey(.recipe, ContentHasher.digest(plain)), content: $0.encoded) }
        let others = [BlobKind.chunk, .tree].flatMap { kind in
            [plain, soft].map { RawBlob(key: BlobKey(kind, ContentHasher.digest($0)), content: $0) }
        }
        let blobs = try BlobEncoding.encode(recipes + others)
        #expect(blobs.map(\.codec) == [.stored, .zstd, .stored, .zstd, .stored, .zstd])
        for blob in blobs {
            let digest = ContentHasher.digest(blob.stored)
            #expect(blob.check.bytes == Array(digest.bytes.prefix(8)))
            #expect(BlobCheck(blob.check.bytes) == blob.check)
        }
        #expect(BlobCheck([1, 2, 3, 4, 5, 6, 7]) == nil)
        #expect(BlobCheck([UInt8](repeating: 0, count: 9)) == nil)
    }

    @Test("every flipped bit of a blob is refused before it is decoded, by blob and pack")
    func flips() throws {
        let contents = [
            SplitMix64.bytes(seed: 6, count: 60),
            Array("abcdefgh".utf8) + [UInt8](repeating: 9, count: 3_000)
                + SplitMix64.bytes(seed: 7, count: 50),
        ]
        let raw = contents.map {
            RawBlob(key: BlobKey(.chunk, ContentHasher.digest($0)), content: $0)
        }
        let blobs = try BlobEncoding.encode(raw)
        #expect(blobs.map(\.codec) == [.stored, .zstd])
        for blob in blobs {
            let location = location(blob)
            for bit in 0..<blob.stored.count * 8 {
                var flipped = blob.stored
                flipped[bit / 8] ^= 1 << (bit % 8)
                expectRefusal(flipped, location, "bit \(bit)")
            }
            for length in blob.stored.indices {
                expectRefusal(Array(blob.stored.prefix(length)), location, "\(length) bytes")
            }
            for bit in 0..<64 {
                var bytes = blob.check.bytes
                bytes[bit / 8] ^= 1 << (bit % 8)
                var wrong = location
                wrong.check = try #require(BlobCheck(bytes))
                expectRefusal(blob.stored, wrong, "bit \(bit) of the check")
            }
        }
    }

    @Test("content that is not its key's is refused although its check is right")
    func otherContent() throws {
        for content in [[1, 2, 3], [UInt8](repeating: 9, count: 3_000)] as [[UInt8]] {
            let key = BlobKey(.chunk, ContentHasher.digest(content))
            let raw = RawBlob(key: key, content: content)
            let blob = try #require(try BlobEncoding.encode([raw]).first)
            var other = location(blob)
            other.key.digest = ContentHasher.digest([4])
            let error = #expect(throws: LinajeError.self) {
                try BlobReader.content(blob.stored, at: other)
            }
            #expect(error?.code == .corrupt)
            #expect(error?.details["blob"] == other.key.description)
        }
    }

    private func expectRefusal(_ stored: [UInt8], _ location: BlobLocation, _ what: String) {
        let error = #expect(throws: LinajeError.self, "\(what)") {
            try BlobReader.content(stored, at: location)
        }
        #expect(error?.code == .corrupt, "\(what)")
        // Another message would be a decoder's.
        #expect(error?.message.contains("is not stored as it was written") == true, "\(what)")
        #expect(error?.details["pack"] == location.pack.key, "\(what)")
        #expect(error?.details["blob"] == location.key.description, "\(what)")
    }

    private func decodes(_ bytes: [UInt8], content: UInt32) -> Bool {
        (try? BlobEncoding.decode(bytes, at: location(bytes.count, content: content))) != nil
    }

    private func location(
        _ stored: Int, content: UInt32, _ codec: BlobCodec = .zstd, kind: BlobKind = .chunk
    ) -> BlobLocation {
        BlobLocation(
            key: BlobKey(kind, ContentHasher.digest([])), pack: PackName(ContentHasher.digest([])),
            offset: 8, storedLength: UInt32(stored), contentLength: content, codec: codec,
            check: BlobCheck(ContentHasher.digest([])))
    }

    private func location(_ blob: EncodedBlob) -> BlobLocation {
        BlobLocation(
            key: blob.key, pack: PackName(blob.key.digest), offset: 8,
            storedLength: UInt32(blob.stored.count), contentLength: blob.contentLength,
            codec: blob.codec, check: blob.check)
    }
}
