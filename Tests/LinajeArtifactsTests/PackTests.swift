import Foundation
import LinajeDomain
import Testing

@testable import LinajeArtifacts

@Suite("Packs") struct PackTests {
    @Test("a golden pack reads as it says, and is written again byte for byte")
    func golden() throws {
        let file = try vectors("packs")
        let packs = try #require(file["packs"] as? [[String: Any]])
        #expect(!packs.isEmpty)
        for vector in packs {
            let bytes = try hex(vector, "hex")
            let key = try #require(vector["file"] as? String)
            let name = try #require(PackName(key: key))
            let header = try read(bytes, as: name)
            let entries = try #require(vector["entries"] as? [[String: Any]])
            #expect(header.entries.count == entries.count)
            var builder = PackBuilder()
            for (entry, expected) in zip(header.entries, entries) {
                #expect(Int(entry.key.kind.rawValue) == expected["kind"] as? Int)
                #expect(entry.key.kind.description == expected["kindName"] as? String)
                #expect(Int(entry.codec.rawValue) == expected["codec"] as? Int)
                #expect(Int(entry.storedLength) == expected["stored"] as? Int)
                #expect(Int(entry.contentLength) == expected["content"] as? Int)
                #expect(Int(entry.offset) == expected["offset"] as? Int)
                #expect(entry.key.digest.description == expected["key"] as? String)
                let start = Int(entry.offset)
                let stored = Array(bytes[start..<start + Int(entry.storedLength)])
                let location = location(entry, name)
                #expect(Hex.encode(entry.check.bytes) == expected["check"] as? String)
                #expect(entry.check == BlobCheck(ContentHasher.digest(stored)))
                #expect(try BlobReader.content(stored, at: location).count == stored.count)
                builder.append(
                    EncodedBlob(
                        key: entry.key, codec: entry.codec, contentLength: entry.contentLength,
                        stored: stored, check: entry.check))
            }
            let sealed = try builder.seal()
            #expect(sealed.name == name)
            #expect(sealed.body + sealed.tail == bytes)
        }
    }

    @Test("golden recipes read as they say and are written again byte for byte")
    func goldenRecipes() throws {
        let vectorFile = try vectors("packs")
        let recipes = try #require(vectorFile["recipes"] as? [[String: Any]])
        #expect(!recipes.isEmpty)
        for vector in recipes {
            let bytes = try hex(vector, "hex")
            let name = try hex(vector, "file")
            let file = try #require(SHA256Digest(name))
            let recipe = try Recipe(bytes, of: file)
            #expect(Int(recipe.size) == vector["size"] as? Int)
            let chunks = try #require(vector["chunks"] as? [[String: Any]])
            #expect(
                recipe.chunks.map(\.digest.description) == chunks.map { $0["sha256"] as? String })
            #expect(recipe.chunks.map { Int($0.length) } == chunks.map { $0["length"] as? Int })
            #expect(recipe.encoded == bytes)
        }
    }

    @Test("golden trees have their digest, and malformed ones are refused")
    func goldenTrees() throws {
        let file = try vectors("trees")
        for vector in try #require(file["trees"] as? [[String: Any]]) {
            let text = try hex(vector, "canonical")
            #expect(ContentHasher.digest(text).description == vector["digest"] as? String)
            #expect(try Tree(canonical: text).canonical == text)
        }
        for vector in try #require(file["malformed"] as? [[String: Any]]) {
            #expect(throws: LinajeError.self, "\(vector["name"] ?? "")") {
                try Tree(canonical: try hex(vector, "canonical"))
            }
        }
    }

    @Test("a flipped bit anywhere in a recipe is noticed, and so is every shorter one")
    func tornRecipe() throws {
        let file = ContentHasher.digest([1])
        let recipe = Recipe(
            size: 30,
            chunks: [
                .init(digest: ContentHasher.digest([2]), length: 10),
                .init(digest: ContentHasher.digest([3]), length: 20),
            ])
        let bytes = recipe.encoded
        #expect(try Recipe(bytes, of: file) == recipe)
        for index in bytes.indices {
            var torn = bytes
            torn[index] ^= 1 << (index % 8)
            #expect(throws: LinajeError.self, "byte \(index)") { try Recipe(torn, of: file) }
            #expect(throws: LinajeError.self, "\(index) bytes") {
                try Recipe(Array(bytes.prefix(index)), of: file)
            }
        }
    }

    @Test("a recipe whose numbers do not fit is refused although its digest is right")
    func lyingRecipe() {
        let file = ContentHasher.digest([1])
        let chunk = Recipe.Chunk(digest: ContentHasher.digest([2]), length: 10)
        let lies = [
            Recipe(size: 11, chunks: [chunk]).encoded,
            Recipe(size: 0, chunks: [.init(digest: chunk.digest, length: 0)]).encoded,
            Recipe(size: 2 << 20, chunks: [.init(digest: chunk.digest, length: 2 << 20)]).encoded,
            signed(Array("LNJR".utf8) + [1, 0, 0, 0] + [UInt8](repeating: 255, count: 12)),
        ]
        for lie in lies { #expect(throws: LinajeError.self) { try Recipe(lie, of: file) } }
        let newer = signed(Array("LNJR".utf8) + [2, 0, 0, 0] + [UInt8](repeating: 0, count: 12))
        #expect(throws: LinajeError.self) { try Recipe(newer, of: file) }
    }

    @Test("header and trailer refuse every flip and every cut")
    func tornHeader() throws {
        let pack = try samplePack()
        let start = pack.body.count
        #expect(try read((pack.body + pack.tail), as: pack.name) == pack.header)
        for index in start..<(pack.body + pack.tail).count {
            var torn = pack.body + pack.tail
            torn[index] ^= 1 << (index % 8)
            #expect(throws: LinajeError.self, "byte \(index)") { try read(torn, as: pack.name) }
        }
        for length in 0..<(pack.body + pack.tail).count {
            #expect(throws: LinajeError.self, "\(length) bytes") {
                try read(Array((pack.body + pack.tail).prefix(length)), as: pack.name)
            }
        }
    }

    @Test(
        "a header that its digest vouches for is still refused when it makes no sense",
        arguments: [
            // Offset of a byte in the first entry, its value, the error.
            (0, 5, LinajeError.Code.storeTooNew), (0, 0, .storeTooNew), (1, 12, .storeTooNew),
            (2, 1, .storeTooNew), (3, 1, .storeTooNew), (4, 0, .corrupt), (7, 255, .corrupt),
            (11, 255, .corrupt), (12, 9, .corrupt), (19, 255, .corrupt),
        ])
    func lyingHeader(offset: Int, value: Int, expected: LinajeError.Code) throws {
        let pack = try samplePack()
        var header = pack.header.encoded
        header[offset] = UInt8(value)
        let name = PackName(ContentHasher.digest(header))
        let body = pack.body
        let bytes =
            body + header
            + PackHeader.trailer(count: pack.header.entries.count, header: header)
        let error = #expect(throws: LinajeError.self) { try read(bytes, as: name) }
        #expect(error?.code == expected)
    }

    @Test("a trailer that claims more than there is takes no memory")
    func hugeTrailer() throws {
        var trailer: [UInt8] = []
        LittleEndian.append(UInt32.max / 60, to: &trailer)
        LittleEndian.append(UInt32.max / 60 * 60, to: &trailer)
        trailer += ContentHasher.digest([1]).bytes + PackHeader.endMagic
        #expect(throws: LinajeError.self) {
            try PackTrailer(trailer, size: 1_000, pack: PackName(ContentHasher.digest([1])))
        }
    }

    @Test("a header has a most, whatever size a pack is said to have")
    func hugeHeader() throws {
        let name = PackName(ContentHasher.digest([1]))
        func trailer(_ count: Int) throws -> PackTrailer {
            var bytes: [UInt8] = []
            LittleEndian.append(UInt32(count), to: &bytes)
            LittleEndian.append(UInt32(count * PackHeader.entryBytes), to: &bytes)
            bytes += name.digest.bytes + PackHeader.endMagic
            return try PackTrailer(bytes, size: 8 << 30, pack: name)
        }
        // More than is ever written: each blob may bring a dictionary along.
        #expect(PackHeader.maximumEntries > 2 * PackBuilder.maximumBlobs)
        #expect(try trailer(PackHeader.maximumEntries).count == PackHeader.maximumEntries)
        for count in [PackHeader.maximumEntries + 1, 70_000_000] {
            let error = #expect(throws: LinajeError.self) { try trailer(count) }
            #expect(error?.code == .corrupt)
            #expect(error?.message.contains("\(name.key): trailer claims \(count) blobs") == true)
        }
    }

    @Test("a blob takes no more bytes than a compressor can make of its content")
    func storedLengths() throws {
        func read(_ codec: BlobCodec, content: UInt32, stored: UInt32) throws {
            let entry = PackEntry(
                key: BlobKey(.tree, ContentHasher.digest([1])), codec: codec, storedLength: stored,
                contentLength: content, offset: UInt64(PackHeader.magic.count),
                check: BlobCheck(ContentHasher.digest([1])))
            let header = PackHeader(entries: [entry]).encoded
            let name = PackName(ContentHasher.digest(header))
            let fixed = UInt64(
                PackHeader.magic.count + PackHeader.entryBytes + PackHeader.trailerBytes)
            let size = fixed + UInt64(stored)
            let trailer = try PackTrailer(
                PackHeader.trailer(count: 1, header: header), size: size, pack: name)
            _ = try PackHeader(header, trailer: trailer, size: size, pack: name)
        }
        // The most is what zstd calls the bound of a compression.
        let bounds: [(content: UInt32, most: UInt32)] = [
            (1, 64), (300, 364), (128 << 10, (128 << 10) + 512), (1 << 20, (1 << 20) + 4_096),
            (.max - (20 << 20), .max - (20 << 20) + 16_695_295),
        ]
        for (content, most) in bounds {
            try read(.zstd, content: content, stored: most)
            try read(.zstd, content: content, stored: 1)
            for stored in [0, most + 1, .max] {
                let error = #expect(throws: LinajeError.self, "\(stored) of \(content)") {
                    try read(.zstd, content: content, stored: stored)
                }
                #expect(error?.code == .corrupt)
            }
            try read(.stored, content: content, stored: content)
            #expect(throws: LinajeError.self) {
                try read(.stored, content: content, stored: content + 1)
            }
        }
    }

    @Test("only the key that a pack would get is a pack's name")
    func names() throws {
        let name = PackName(ContentHasher.digest([1]))
        #expect(PackName(key: name.key) == name)
        for key in [
            "", "packs/", "packs/00/\(name).pack", "packs/\(name).pack", "x" + name.key,
            name.key.uppercased(), name.key + "x", "packs/4b/../\(name).pack",
        ] { #expect(PackName(key: key) == nil, "\(key)") }
    }

    private func samplePack() throws -> SealedPack {
        var builder = PackBuilder()
        for content in [[1, 2, 3], [UInt8](repeating: 7, count: 300)] as [[UInt8]] {
            let key = BlobKey(.chunk, ContentHasher.digest(content))
            for blob in try BlobEncoding.encode([RawBlob(key: key, content: content)]) {
                builder.append(blob)
            }
        }
        return try builder.seal()
    }

    private func read(_ bytes: [UInt8], as name: PackName) throws -> PackHeader {
        let size = UInt64(bytes.count)
        let trailer = try PackTrailer(
            Array(bytes.suffix(PackHeader.trailerBytes)), size: size, pack: name)
        let end = bytes.count - PackHeader.trailerBytes
        return try PackHeader(
            Array(bytes[(end - trailer.headerLength)..<end]), trailer: trailer, size: size,
            pack: name)
    }

    private func location(_ entry: PackEntry, _ pack: PackName) -> BlobLocation {
        BlobLocation(
            key: entry.key, pack: pack, offset: entry.offset, storedLength: entry.storedLength,
            contentLength: entry.contentLength, codec: entry.codec, check: entry.check)
    }

    private func signed(_ bytes: [UInt8]) -> [UInt8] { bytes + ContentHasher.digest(bytes).bytes }
}
