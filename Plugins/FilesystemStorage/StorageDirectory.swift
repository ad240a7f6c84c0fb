import CStorageCalls
import Glibc
import LinajeDomain
import Synchronization

/// The folder of a `FilesystemStorage`, and the threads that work in it.
final class StorageDirectory: Sendable {
    /// Calls that run at a time.
    static let threads = 4

    let root: String
    let threads = StorageThreads(width: StorageDirectory.threads)
    /// Whether the folders were made and old temporary files removed.
    private let isPrepared: Mutex<Bool>
    /// Numbers the temporary files of this process.
    private let nextNumber = Atomic<UInt64>(0)
    /// Folders whose names are known to be durable.
    private let durableFolders = Mutex<Set<String>>([])
    /// The first fsync that failed.
    private let failure = Mutex<LinajeError?>(nil)

    /// - Parameter onlyLooks: whether the folders are left as they are found.
    init(root: String, onlyLooks: Bool = false) {
        isPrepared = Mutex(onlyLooks)
        self.root = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
    }

    private var temporaryFolder: String { "\(root)/\(StorageKey.temporaryFolder)" }

    /// Runs `body` on one of the threads, in the folder made ready.
    func run<Value: Sendable>(
        _ body: @Sendable @escaping (StorageDirectory) throws -> Value
    ) async throws -> Value {
        try await threads.run {
            try self.prepare()
            return try body(self)
        }
    }

    func path(_ key: StorageKey) -> String { "\(root)/\(key.text)" }

    // MARK: On a thread

    func writer(_ key: StorageKey) throws -> FilesystemWriter {
        try refuseAfterFailure()
        let number = nextNumber.wrappingAdd(1, ordering: .relaxed).oldValue
        let path = "\(temporaryFolder)/.tmp-\(getpid())-\(number)"
        let descriptor = try writing { try FileCalls.open(path, O_WRONLY | O_CREAT | O_EXCL) }
        return FilesystemWriter(
            directory: self, key: key, temporaryPath: path, descriptor: descriptor)
    }

    func read(_ key: StorageKey, _ range: Range<UInt64>) throws -> [UInt8] {
        let path = path(key)
        let descriptor = try FileCalls.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        defer { FileCalls.close(descriptor) }
        let status = try FileCalls.status(descriptor, path: path)
        // A key that only begins others names no object.
        guard !FileCalls.isFolder(status) else { throw FileCalls.error("open", path, ENOENT) }
        guard FileCalls.isFile(status) else {
            throw LinajeError(.corrupt, "\(path) is not a regular file; restore it from a copy")
        }
        // Memory is taken for bytes that are there, not for bytes that are asked for.
        let end = min(range.upperBound, status.size)
        guard range.lowerBound < end else { return [] }
        return try FileCalls.read(
            descriptor, offset: range.lowerBound, count: Int(end - range.lowerBound), path: path)
    }

    func size(_ key: StorageKey) throws -> UInt64? {
        guard let status = try FileCalls.status(path(key)), FileCalls.isFile(status) else {
            return nil
        }
        return status.size
    }

    func list(_ prefix: String) throws -> [(key: String, size: UInt64)] {
        var out: [(key: String, size: UInt64)] = []
        let folder = prefix.lastIndex(of: "/").map { String(prefix[..<$0]) } ?? ""
        var folders = [folder]
        while let folder = folders.popLast() {
            let path = folder.isEmpty ? root : "\(root)/\(folder)"
            for name in try FileCalls.names(path) {
                let text = folder.isEmpty ? name : "\(folder)/\(name)"
                // What no key can name, a temporary file for one, is none of ours.
                guard let key = try? StorageKey(text),
                    text.hasPrefix(prefix) || prefix.hasPrefix(text + "/"),
                    let status = try FileCalls.status(self.path(key))
                else { continue }
                if FileCalls.isFolder(status) {
                    folders.append(text)
                } else if FileCalls.isFile(status), text.hasPrefix(prefix) {
                    out.append((text, status.size))
                }
            }
        }
        return out.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    func remove(_ key: StorageKey) throws {
        try refuseAfterFailure()
        let path = path(key)
        switch FileCalls.unlink(path) {
        case 0: break
        case ENOENT, ENOTDIR, EISDIR: return
        case let number: throw FileCalls.error("remove", path, number)
        }
        try sync { try FileCalls.syncFolder(key.folders.last.map { "\(root)/\($0)" } ?? root) }
    }

    /// Runs an fsync. One that failed is final: the kernel may have dropped what was to be written, and
    /// the next would succeed without it. From then on nothing is written or removed any more.
    func sync(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as LinajeError where error.code == .storageFailed {
            failure.withLock { if $0 == nil { $0 = error } }
            throw error
        }
    }

    /// - Throws: the error of the fsync that failed.
    func refuseAfterFailure() throws {
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    /// A folder that is gone while something is written below it is no object that is not there.
    func writing<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as LinajeError where error.code == .notFound {
            throw LinajeError(
                .storageFailed, "\(error.message): something removed folders of \(root)")
        }
    }

    /// Makes the folders above an object, each durable in its parent.
    func makeFolders(_ key: StorageKey) throws {
        var parent = root
        for folder in key.folders {
            let path = "\(root)/\(folder)"
            if !durableFolders.withLock({ $0.contains(path) }) {
                // Also when it is there already: whoever made it may not have synced it yet.
                _ = try FileCalls.makeFolder(path)
                try sync { try FileCalls.syncFolder(parent) }
                durableFolders.withLock { _ = $0.insert(path) }
            }
            parent = path
        }
    }

    private func prepare() throws {
        try isPrepared.withLock { isPrepared in
            guard !isPrepared else { return }
            try makeRoot(root)
            _ = try FileCalls.makeFolder(temporaryFolder)
            try FileCalls.syncFolder(root)
            for name in try FileCalls.names(temporaryFolder) where name.hasPrefix(".tmp-") {
                let path = "\(temporaryFolder)/\(name)"
                let number = FileCalls.unlink(path)
                guard number == 0 || number == ENOENT else {
                    throw FileCalls.error("remove", path, number)
                }
            }
            isPrepared = true
        }
    }

    /// Makes the root and what is missing above it.
    private func makeRoot(_ path: String) throws {
        if let status = try FileCalls.status(path), FileCalls.isFolder(status) { return }
        let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        if !parent.isEmpty, parent != "." { try makeRoot(parent) }
        if try FileCalls.makeFolder(path) {
            try FileCalls.syncFolder(parent.isEmpty ? "/" : parent)
        }
    }
}
