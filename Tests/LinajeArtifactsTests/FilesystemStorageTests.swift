import FilesystemStorage
import Foundation
import LinajeArtifacts
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("FilesystemStorage") struct FilesystemStorageTests {
    private let folder: TemporaryFolder
    private let root: String
    private let storage: FilesystemStorage

    init() throws {
        folder = try TemporaryFolder()
        root = "\(folder.path)/a/state"
        storage = FilesystemStorage(root: root)
    }

    private func put(_ key: String, _ bytes: [UInt8]) async throws {
        let writer = try await storage.put(key)
        for byte in bytes { try await writer.write([byte]) }
        try await writer.commit()
    }

    private func temporaryFiles() -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/tmp")) ?? []
    }

    @Test("an object is there whole after commit and not before")
    func commit() async throws {
        let writer = try await storage.put("packs/ab/x.pack")
        try await writer.write([1, 2])
        try await writer.write([3])
        #expect(try await storage.stat("packs/ab/x.pack") == nil)
        #expect(try await storage.list(prefix: "").isEmpty)
        #expect(temporaryFiles().count == 1)
        try await writer.commit()
        #expect(try await storage.stat("packs/ab/x.pack") == 3)
        #expect(try await storage.get("packs/ab/x.pack", range: 0..<3) == [1, 2, 3])
        #expect(temporaryFiles().isEmpty)
        await writer.abort()
        #expect(try await storage.stat("packs/ab/x.pack") == 3)
        #expect(await code { try await writer.commit() } == .failedPrecondition)
        let mode = try FileManager.default.attributesOfItem(atPath: root)[.posixPermissions]
        #expect(mode as? Int == 0o700)
    }

    @Test("an aborted or forgotten object leaves nothing")
    func abort() async throws {
        let writer = try await storage.put("packs/x")
        try await writer.write([1])
        await writer.abort()
        #expect(await code { try await writer.write([2]) } == .failedPrecondition)
        #expect(temporaryFiles().isEmpty)
        #expect(try await storage.stat("packs/x") == nil)
    }

    @Test("temporary files that a crash left are removed, objects are not")
    func crash() async throws {
        try await put("packs/x", [1])
        let writer = try await storage.put("packs/y")
        try await writer.write([2])
        let after = FilesystemStorage(root: root)
        #expect(try await after.list(prefix: "").map(\.key) == ["packs/x"])
        #expect(temporaryFiles().isEmpty)
        _ = writer
    }

    @Test("ranges are cut at the object's end")
    func ranges() async throws {
        try await put("x", [1, 2, 3, 4])
        #expect(try await storage.get("x", range: 1..<3) == [2, 3])
        #expect(try await storage.get("x", range: 3..<UInt64.max) == [4])
        #expect(try await storage.get("x", range: 4..<9) == [])
        #expect(try await storage.get("x", range: 2..<2) == [])
    }

    @Test("what is not there is not found, and removing it is no error")
    func absent() async throws {
        #expect(await code { _ = try await storage.get("packs/x", range: 0..<1) } == .notFound)
        #expect(try await storage.stat("packs/x") == nil)
        try await storage.remove("packs/x")
        try await put("packs/x", [1])
        #expect(await code { _ = try await storage.get("packs/x/y", range: 0..<1) } == .notFound)
        try await storage.remove("packs")
        #expect(await code { _ = try await storage.get("packs", range: 0..<1) } == .notFound)
        #expect(try await storage.stat("packs") == nil)
        #expect(try await storage.stat("packs/x") == 1)
        try await storage.remove("packs/x")
        #expect(try await storage.stat("packs/x") == nil)
    }

    @Test("keys are listed in the order of their bytes, below their prefix only")
    func list() async throws {
        for key in ["packs/b", "packs/a/z", "packs/a-b", "packs/ab/1", "other/1", "top"] {
            try await put(key, Array(repeating: 0, count: key.count))
        }
        try Data([1]).write(to: URL(fileURLWithPath: "\(root)/packs/Upper"))
        try FileManager.default.createSymbolicLink(
            atPath: "\(root)/packs/link", withDestinationPath: "/etc/passwd")
        let all = ["other/1", "packs/a-b", "packs/a/z", "packs/ab/1", "packs/b", "top"]
        #expect(try await storage.list(prefix: "").map(\.key) == all)
        #expect(try await storage.list(prefix: "").map(\.size) == all.map { UInt64($0.count) })
        #expect(
            try await storage.list(prefix: "packs/a").map(\.key) == [
                "packs/a-b", "packs/a/z", "packs/ab/1",
            ])
        #expect(try await storage.list(prefix: "packs/a/").map(\.key) == ["packs/a/z"])
        #expect(try await storage.list(prefix: "none/").isEmpty)
        #expect(await code { _ = try await storage.get("packs/link", range: 0..<1) } == .corrupt)
    }

    @Test(
        "a key that is not one is refused by every call",
        arguments: [
            "", "/", "/etc/passwd", "a/", "a//b", "..", "a/../b", "a/.hidden", "A", "a b",
            "a\u{0}b",
            "ä", "tmp/x", "tmp", "a_b", String(repeating: "a", count: 256),
            String(repeating: "a/", count: 256) + "a",
        ])
    func keys(key: String) async throws {
        #expect(await code { _ = try await storage.put(key) } == .invalidArgument)
        #expect(await code { _ = try await storage.get(key, range: 0..<1) } == .invalidArgument)
        #expect(await code { _ = try await storage.stat(key) } == .invalidArgument)
        #expect(await code { try await storage.remove(key) } == .invalidArgument)
    }

    @Test("an object is replaced by one of the same key")
    func replace() async throws {
        try await put("packs/x", [1, 2])
        try await put("packs/x", [3])
        #expect(try await storage.get("packs/x", range: 0..<9) == [3])
    }

    @Test("a root that cannot be made is an error that names it")
    func badRoot() async throws {
        try Data([1]).write(to: URL(fileURLWithPath: "\(folder.path)/file"))
        let bad = FilesystemStorage(root: "\(folder.path)/file/state")
        let error = await #expect(throws: LinajeError.self) { try await bad.stat("x") }
        #expect(error?.message.contains("\(folder.path)/file") == true)
    }

    @Test(
        "errors of the system have the code that says what to do",
        arguments: [
            (ENOSPC, LinajeError.Code.storageFull), (EDQUOT, .storageFull), (EROFS, .readOnly),
            (EACCES, .readOnly), (ENOENT, .notFound), (EIO, .storageFailed),
            (EMFILE, .unavailable),
        ])
    func errors(number: Int32, expected: LinajeError.Code) {
        let error = FileCalls.error("write", "/state/x", number)
        #expect(error.code == expected)
        #expect(error.message.contains("/state/x"))
        #expect(FileCalls.syncError("/state/x", number).code == .storageFailed)
    }

    @Test("a folder that is removed under a write fails the storage, not the object's name")
    func removed() async throws {
        let writer = try await storage.put("packs/x")
        try await writer.write([1])
        try FileManager.default.removeItem(atPath: root)
        #expect(await code { try await writer.commit() } == .storageFailed)
        #expect(await code { try await writer.commit() } == .storageFailed)
        #expect(await code { _ = try await storage.put("packs/y") } == .storageFailed)
    }

    @Test("many objects at once are all there")
    func parallel() async throws {
        let storage = storage
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<64 as Range<UInt8> {
                group.addTask {
                    let writer = try await storage.put("packs/\(number % 4)/\(number)")
                    try await writer.write([number])
                    try await writer.commit()
                }
            }
            try await group.waitForAll()
        }
        #expect(try await storage.list(prefix: "packs/").count == 64)
        #expect(try await storage.get("packs/3/63", range: 0..<2) == [63])
    }
}
