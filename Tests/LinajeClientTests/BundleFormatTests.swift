import LinajeArtifacts
import LinajeClient
import LinajeDomain
import LinajeWire
import Testing

@testable import LinajeCommands

@Suite("Format of bundles")
struct BundleFormatTests {
    private func bundle(
        in folder: TemporaryFolder, _ body: (BundleWriter) throws -> Void
    ) throws -> String {
        let path = folder.at("bundle")
        let writer = try BundleWriter(try ExportFile(path))
        try body(writer)
        _ = try writer.finish(signedBy: nil)
        return path
    }

    private func add(_ content: [UInt8], to writer: BundleWriter) throws -> SHA256Digest {
        let digest = ContentHasher.digest(content)
        var file = writer.begin(digest, size: UInt64(content.count))
        try writer.add(content, to: &file)
        try writer.finish(file)
        return digest
    }

    private static func noise(_ count: Int, seed: UInt64) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 40)
        }
    }

    @Test("files and trees come out of a bundle as they went in, shared parts once")
    func roundTrip() throws {
        let folder = try TemporaryFolder()
        let long = Self.noise(700_000, seed: 1)
        let contents = [long, [], [7], Self.noise(100_000, seed: 2) + long]
        var tree: Tree?
        let path = try bundle(in: folder) { writer in
            var entries: [TreeEntry] = []
            for (number, content) in contents.enumerated() {
                entries.append(
                    TreeEntry(
                        path: try TreePath("f\(number)"), mode: .file, size: UInt64(content.count),
                        sha256: try add(content, to: writer)))
            }
            tree = try Tree(entries)
            if let tree { try writer.add(tree) }
            #expect(writer.length < 1_100_000)
        }
        let reader = try BundleReader(path)
        let found = try reader.check(trusting: nil)
        #expect(found.trees.count == 1)
        #expect(try found.trees.first.map { try reader.tree(at: $0.place) } == tree)
        for content in contents {
            let place = try #require(found.files[ContentHasher.digest(content)]?.place)
            let file = try reader.file(at: place)
            #expect(try file.parts.flatMap { try reader.bytes(of: $0) } == content)
        }
    }

    @Test("any byte of a bundle that is another is noticed, and any cut")
    func damage() throws {
        let folder = try TemporaryFolder()
        let path = try bundle(in: folder) { writer in
            let content = Array("abc".utf8)
            let digest = try add(content, to: writer)
            try writer.add(
                Tree([
                    TreeEntry(
                        path: try TreePath("a"), mode: .file, size: 3, sha256: digest)
                ]))
        }
        let input = try FileInput(path)
        let bytes = try input.bytes(at: 0, count: Int(input.size))
        func check(_ content: [UInt8]) throws {
            try NewFile(path).write(content)
            _ = try BundleReader(path).check(trusting: nil)
        }
        try check(bytes)
        for index in bytes.indices {
            var flipped = bytes
            flipped[index] ^= 1
            #expect(throws: LinajeError.self, "byte \(index)") { try check(flipped) }
        }
        for count in bytes.indices {
            #expect(throws: LinajeError.self, "cut at \(count)") {
                try check(Array(bytes.prefix(count)))
            }
        }
    }

    /// A bundle with a digest that is right around records that are not.
    private func hostile(_ records: [UInt8], in folder: TemporaryFolder) throws -> String {
        let path = folder.at("hostile")
        let body = BundleFormat.magic + records
        let trailer = BundleTrailer(
            records: 1, length: UInt64(body.count), digest: ContentHasher.digest(body))
        try NewFile(path).write(body + trailer.bytes)
        return path
    }

    @Test("a record that claims much is refused before memory is taken for it")
    func bombs() throws {
        let folder = try TemporaryFolder()
        let content = [UInt8](repeating: 0, count: 1 << 20)
        let (good, stored) = try #require(
            try BundleRecord.encode(.chunk, [(ContentHasher.digest(content), content)]).first)
        _ = try BundleReader(hostile(good.header + stored, in: folder)).check(trusting: nil)
        for (kind, length) in [
            (BundleFormat.Kind.chunk, UInt32(2 << 20)), (.tree, .max), (.file, 500 << 20),
            (.tree, 500 << 20), (.chunk, 1),
        ] {
            var bad = good
            bad.kind = kind
            bad.contentLength = length
            #expect(throws: LinajeError.self) {
                try BundleReader(hostile(bad.header + stored, in: folder)).check(trusting: nil)
            }
        }
        var long = good
        long.storedLength = 400 << 20
        #expect(throws: LinajeError.self) {
            try BundleReader(hostile(long.header + stored, in: folder)).check(trusting: nil)
        }
    }

    @Test("a file whose parts lead elsewhere is refused")
    func references() throws {
        let folder = try TemporaryFolder()
        for (place, length) in [(0, 3), (8, 3), (60, 3), (1 << 60, 3), (8, 0)] {
            let file = BundleFile(
                size: 3, parts: [.init(place: UInt64(place), length: UInt32(length))])
            let (record, stored) = try #require(
                try BundleRecord.encode(
                    .file, [(ContentHasher.digest([1, 2, 3]), file.bytes)]
                ).first)
            #expect(throws: LinajeError.self, "place \(place)") {
                try BundleReader(hostile(record.header + stored, in: folder))
                    .check(trusting: nil)
            }
        }
        // A tree whose file is not there.
        let tree = try Tree([
            TreeEntry(
                path: try TreePath("a"), mode: .file, size: 3, sha256: ContentHasher.digest([1]))
        ]).canonical
        let (record, stored) = try #require(
            try BundleRecord.encode(.tree, [(ContentHasher.digest(tree), tree)]).first)
        #expect(throws: LinajeError.self) {
            try BundleReader(hostile(record.header + stored, in: folder)).check(trusting: nil)
        }
    }

    @Test("a tree of a bundle has the rules of trees")
    func escape() throws {
        let folder = try TemporaryFolder()
        let digest = ContentHasher.digest([])
        for path in ["../a", "/a", "a/../b", ""] {
            let text = Array("linaje tree 1\n100644 \(digest) 0 \(path)".utf8) + [0]
            let (record, stored) = try #require(
                try BundleRecord.encode(.tree, [(ContentHasher.digest(text), text)]).first)
            #expect(throws: LinajeError.self) {
                try BundleReader(hostile(record.header + stored, in: folder))
                    .check(trusting: nil)
            }
        }
    }
}
