import Glibc
import LinajeDomain
import Testing

@testable import LinajeArtifacts
@testable import LinajeCommands

@Suite("Format of backups")
struct BackupFormatTests {
    private static func digest(_ text: String) -> SHA256Digest {
        ContentHasher.digest(Array(text.utf8))
    }

    private var manifest: BackupManifest {
        var manifest = BackupManifest(
            madeAt: Timestamp(microseconds: 1_764_184_980_000_000), agent: "linajed/0.1.0")
        for (name, size) in [("format", 33), ("catalog.db", 1 << 20), ("metrics.db", 7)] {
            manifest.files.append(
                .init(name: name, size: UInt64(size), sha256: Self.digest(name)))
        }
        for number in 0..<20 { manifest.packs[PackName(Self.digest("\(number)"))] = UInt64(number) }
        manifest.lost = [PackName(Self.digest("lost"))]
        return manifest
    }

    @Test("a manifest that was written is read back the same")
    func roundTrip() throws {
        let read = try BackupManifest(manifest.text, path: "manifest")
        #expect(read == manifest)
        #expect(read.size == 33 + (1 << 20) + 7 + 190)
    }

    @Test("a manifest that is cut short anywhere, or of which any bit is another, is refused")
    func damage() throws {
        let text = manifest.text
        for count in 0..<text.count {
            #expect(throws: LinajeError.self) {
                try BackupManifest(Array(text.prefix(count)), path: "manifest")
            }
        }
        for index in text.indices {
            var flipped = text
            flipped[index] ^= 1 << UInt8(index % 8)
            #expect(throws: LinajeError.self) { try BackupManifest(flipped, path: "manifest") }
        }
    }

    @Test("a manifest names no other files than those a backup has")
    func names() throws {
        var other = manifest
        other.files[0].name = "../../etc/passwd"
        #expect(throws: LinajeError.self) { try BackupManifest(other.text, path: "manifest") }
        other = manifest
        other.files.removeLast()
        #expect(throws: LinajeError.self) { try BackupManifest(other.text, path: "manifest") }
    }

    @Test("any byte of a pack that is another, missing or too many is noticed")
    func pack() throws {
        let contents = (0..<5).map { number in (0..<50).map { UInt8(($0 * number) & 0xff) } }
        let blobs = try BlobEncoding.encode(
            contents.map { RawBlob(key: BlobKey(.chunk, ContentHasher.digest($0)), content: $0) })
        var entries: [PackEntry] = []
        var bytes = PackHeader.magic
        for blob in blobs {
            entries.append(
                PackEntry(
                    key: blob.key, codec: blob.codec, storedLength: UInt32(blob.stored.count),
                    contentLength: blob.contentLength, offset: UInt64(bytes.count),
                    check: blob.check))
            bytes += blob.stored
        }
        let header = PackHeader(entries: entries).encoded
        bytes += header + PackHeader.trailer(count: entries.count, header: header)
        let name = PackName(ContentHasher.digest(header))

        let folder = try TemporaryFolder()
        let path = folder.path + "/pack"
        func check(_ content: [UInt8]) throws {
            try NewFile(path).write(content)
            try PackFile.check(path, is: name)
        }
        try check(bytes)
        for index in bytes.indices {
            var flipped = bytes
            flipped[index] ^= 0x40
            #expect(throws: LinajeError.self, "byte \(index)") { try check(flipped) }
        }
        for count in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: LinajeError.self) { try check(Array(bytes.prefix(count))) }
        }
        #expect(throws: LinajeError.self) { try check(bytes + [0]) }
    }

    @Test("a folder that holds something else is not written to")
    func foreignFolder() throws {
        let folder = try TemporaryFolder()
        try NewFile(folder.path + "/letter.txt").write([1])
        #expect(throws: LinajeError.self) { try BackupFolder(writing: folder.path) }
        #expect(throws: LinajeError.self) { try BackupFolder(reading: folder.path) }
        #expect(try Folders.names(folder.path) == ["letter.txt"])
    }

    @Test("two backups do not write to one folder at a time")
    func lock() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/backup"
        let first = try BackupFolder(writing: path)
        #expect(throws: LinajeError.self) { try BackupFolder(writing: path) }
        #expect(throws: LinajeError.self) { try BackupFolder(reading: path) }
        withExtendedLifetime(first) {}
    }
}
