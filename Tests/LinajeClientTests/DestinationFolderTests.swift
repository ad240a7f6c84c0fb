import Foundation
import Glibc
import LinajeDomain
import Testing

@testable import LinajeClient

@Suite("DestinationFolder")
struct DestinationFolderTests {
    @Test("files appear whole, by commit, with their folders")
    func commit() throws {
        let folder = try TemporaryFolder()
        let destination = try DestinationFolder(folder.at("new/out"))
        let partial = try destination.begin(TreePath("a/b/c"), executable: true)
        try partial.write(Array("one ".utf8))
        try partial.write(Array("two".utf8))
        #expect(!FileManager.default.fileExists(atPath: folder.at("new/out/a/b/c")))
        try partial.commit()
        #expect(try folder.read("new/out/a/b/c") == "one two")
        #expect(FileManager.default.isExecutableFile(atPath: folder.at("new/out/a/b/c")))
    }

    @Test("a file that is not committed leaves nothing behind")
    func abandon() throws {
        let folder = try TemporaryFolder()
        let destination = try DestinationFolder(folder.path)
        do {
            let partial = try destination.begin(TreePath("f"), executable: false)
            try partial.write([1, 2, 3])
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test(
        "nothing is written or looked at through a link that stands in the way",
        arguments: [true, false])
    func escape(usesOpenat2: Bool) throws {
        let folder = try TemporaryFolder()
        let outside = try TemporaryFolder()
        try outside.write("f", "precious")
        #expect(symlink(outside.path, folder.at("way")) == 0)
        let destination = try DestinationFolder(folder.path, usesOpenat2: usesOpenat2)
        #expect(try destination.status(TreePath("way")) != nil)
        #expect(try destination.status(TreePath("way/f")) == nil)
        #expect(try destination.read(TreePath("way/f")) == nil)
        #expect(
            throws: LinajeError.self,
            performing: {
                try destination.resume(
                    TreePath("way/f"), executable: false, sha256: ContentHash.digest(of: []))
            })
        let error = #expect(throws: LinajeError.self) {
            try destination.begin(TreePath("way/f"), executable: false)
        }
        #expect(error?.code == .failedPrecondition)
        #expect(throws: LinajeError.self) {
            try destination.link(TreePath("way/l"), to: Array("x".utf8))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path) == ["f"])
        #expect(try outside.read("f") == "precious")
    }

    @Test("a folder that became a link after it was used leads nowhere", arguments: [true, false])
    func swapped(usesOpenat2: Bool) throws {
        let folder = try TemporaryFolder()
        let outside = try TemporaryFolder()
        let destination = try DestinationFolder(folder.path, usesOpenat2: usesOpenat2)
        for name in ["a/b/one", "c/two"] {
            try destination.begin(TreePath(name), executable: false).commit()
        }
        #expect(rename(folder.at("a"), folder.at("moved")) == 0)
        #expect(symlink(outside.path, folder.at("a")) == 0)
        #expect(throws: LinajeError.self) {
            try destination.begin(TreePath("a/b/one"), executable: false)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path).isEmpty)
    }

    @Test("the bytes of a long file that was interrupted are taken up, those of others are not")
    func resume() throws {
        let folder = try TemporaryFolder()
        let content = [UInt8](repeating: 7, count: 3 << 20)
        let digest = try ContentHash.digest(of: content)
        let destination = try DestinationFolder(folder.path)
        func begin() throws -> PartialFile {
            try destination.resume(TreePath("f"), executable: false, sha256: digest)
        }
        do {
            let partial = try begin()
            var hasher = ContentHash()
            #expect(try partial.takeUp(3 << 20, &hasher) == 0)
            try partial.write(Array(content[..<(2 << 20)]))
            // Another one does not write into the same file.
            let other = try begin()
            #expect(try other.takeUp(3 << 20, &hasher) == 0)
            try other.write([1])
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 1)
        let partial = try begin()
        var hasher = ContentHash()
        #expect(try partial.takeUp(3 << 20, &hasher) == 2 << 20)
        let rest = Array(content[(2 << 20)...])
        hasher.update(rest)
        try partial.write(rest)
        #expect(try hasher.digest() == digest)
        try partial.commit()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["f"])
        #expect(FileManager.default.contents(atPath: folder.at("f")) == Data(content))
        do {
            let wrong = try begin()
            _ = try wrong.takeUp(3 << 20, &hasher)
            try wrong.write(content)
            wrong.discard()
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["f"])
    }

    @Test("a link in a file's place is replaced, not written through")
    func replacesLink() throws {
        let folder = try TemporaryFolder()
        let outside = try TemporaryFolder()
        let target = try outside.write("precious", "old")
        #expect(symlink(target, folder.at("f")) == 0)
        let partial = try DestinationFolder(folder.path).begin(TreePath("f"), executable: false)
        try partial.write(Array("new".utf8))
        try partial.commit()
        #expect(try folder.read("f") == "new")
        #expect(try outside.read("precious") == "old")
    }

    @Test("links are made as they were, and replace what has their name")
    func links() throws {
        let folder = try TemporaryFolder()
        try folder.write("l", "a file")
        let destination = try DestinationFolder(folder.path)
        try destination.link(TreePath("l"), to: Array("../target".utf8))
        #expect(
            try FileManager.default.destinationOfSymbolicLink(atPath: folder.at("l"))
                == "../target")
        for bad: [UInt8] in [[], [0x61, 0], [0xFF]] {
            let error = #expect(throws: LinajeError.self) {
                try destination.link(TreePath("bad"), to: bad)
            }
            #expect(error?.code == .corrupt)
        }
    }
}
