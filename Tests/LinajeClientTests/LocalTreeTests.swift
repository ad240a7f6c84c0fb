import Foundation
import Glibc
import LinajeDomain
import Testing

@testable import LinajeClient

@Suite("Local files")
struct LocalTreeTests {
    private func code(_ body: () throws -> Void) -> LinajeError.Code? {
        do {
            try body()
            return nil
        } catch let error as LinajeError {
            return error.code
        } catch {
            return nil
        }
    }

    @Test("a folder's files and links are found by path, links are not followed")
    func walk() throws {
        let folder = try TemporaryFolder()
        try folder.write("b/c.txt", "c")
        let executable = try folder.write("a.sh", "echo")
        #expect(chmod(executable, 0o700) == 0)
        try FileManager.default.createDirectory(
            atPath: folder.at("empty"), withIntermediateDirectories: true)
        #expect(symlink("/etc", folder.at("link")) == 0)
        #expect(symlink("nowhere", folder.at("b/dangling")) == 0)
        let files = try LocalTree.files(at: folder.path)
        #expect(files.map(\.path.text) == ["a.sh", "b/c.txt", "b/dangling", "link"])
        #expect(files.map(\.mode) == [.executable, .file, .link, .link])
        #expect(try LocalTree.target(of: folder.at("link")) == Array("/etc".utf8))
    }

    @Test("a single file stands under its own name")
    func single() throws {
        let folder = try TemporaryFolder()
        let files = try LocalTree.files(at: folder.write("x/y.bin", "12345"))
        #expect(files.map(\.path.text) == ["y.bin"])
        #expect(files.map(\.size) == [5])
    }

    @Test("a FIFO, a socket's folder mate and a device are refused by name")
    func unsupported() throws {
        let folder = try TemporaryFolder()
        try folder.write("ok", "")
        #expect(mkfifo(folder.at("pipe"), 0o600) == 0)
        let error = #expect(throws: LinajeError.self) { try LocalTree.files(at: folder.path) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("pipe is a FIFO") == true)
        #expect(code { _ = try LocalTree.files(at: "/dev/null") } == .invalidArgument)
        #expect(code { _ = try LocalFileReading(folder.at("pipe")) } == .invalidArgument)
        #expect(code { _ = try LocalTree.files(at: folder.at("none")) } == .notFound)
    }

    @Test("a name that is no UTF-8 is refused")
    func names() throws {
        let folder = try TemporaryFolder()
        let path = (Array(folder.at("").utf8) + [0xFF, 0]).map { CChar(bitPattern: $0) }
        let file = open(path, O_CREAT, 0o600)
        #expect(file >= 0)
        close(file)
        #expect(code { _ = try LocalTree.files(at: folder.path) } == .invalidPath)
    }

    @Test("a file is read whole in pieces and hashed on the way")
    func reading() throws {
        let folder = try TemporaryFolder()
        let text = String(repeating: "0123456789abcdef", count: 40_000)
        let reading = try LocalFileReading(folder.write("f", text))
        var hash = ContentHash()
        var bytes: [UInt8] = []
        while UInt64(bytes.count) < reading.size {
            bytes += try reading.piece(at: UInt64(bytes.count), into: &hash)
        }
        #expect(bytes == Array(text.utf8))
        #expect(try hash.digest() == ContentHash.digest(of: Array(text.utf8)))
        try reading.checkUnchanged()
    }

    @Test("a file that grows, shrinks or is written over while it is read is noticed")
    func changes() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("f", "123456")
        let grown = try LocalFileReading(path)
        try folder.write("g", "")
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("7".utf8))
        #expect(code { try grown.checkUnchanged() } == .incomplete)
        let shrunk = try LocalFileReading(path)
        try handle.truncate(atOffset: 2)
        var hash = ContentHash()
        let error = #expect(throws: LinajeError.self) { try shrunk.piece(at: 0, into: &hash) }
        #expect(error?.code == .incomplete)
        #expect(error?.message.contains(path) == true)
    }

    @Test("a link that took a file's place after the walk is not followed")
    func swapped() throws {
        let folder = try TemporaryFolder()
        try folder.write("secret", "x")
        #expect(symlink(folder.at("secret"), folder.at("f")) == 0)
        #expect(code { _ = try LocalFileReading(folder.at("f")) } != nil)
    }
}
