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

    @Test("nothing is written through a link that stands in the way")
    func escape() throws {
        let folder = try TemporaryFolder()
        let outside = try TemporaryFolder()
        #expect(symlink(outside.path, folder.at("way")) == 0)
        let destination = try DestinationFolder(folder.path)
        let error = #expect(throws: LinajeError.self) {
            try destination.begin(TreePath("way/f"), executable: false)
        }
        #expect(error?.code == .failedPrecondition)
        #expect(throws: LinajeError.self) {
            try destination.link(TreePath("way/l"), to: Array("x".utf8))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside.path).isEmpty)
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
