import FoundationEssentials
import Glibc
import LinajeClient
import LinajeDomain

/// Models of the registry on this machine, each in a folder named after the digest of its files:
/// fetched once, checked, and shared by whoever scores with them.
///
/// A file beside each folder is locked for as long as somebody uses it; the longest unused ones that
/// nobody does are removed when all take more than `mostBytes`.
struct ModelCache {
    /// Most bytes of all of them, apart from the one that is wanted.
    static let mostBytes: UInt64 = 20 << 30

    /// A model that stays where it is while this lives.
    final class Lease: Sendable {
        let folder: String
        private let lock: Int32

        fileprivate init(folder: String, lock: Int32) {
            self.folder = folder
            self.lock = lock
        }

        deinit { close(lock) }
    }

    private let root: String

    /// - Throws: `failedPrecondition` for a user without a cache folder.
    init() throws {
        guard let root = GlobalOptions.cache("models") else {
            throw LinajeError(
                .failedPrecondition,
                "there is no place for models: set HOME or XDG_CACHE_HOME, or download the model and "
                    + "give its folder")
        }
        self.root = root
    }

    /// Fetches the files of a tree unless they are here.
    func fetch(_ tree: SHA256Digest, _ client: LinajeClient, quiet: Bool) async throws -> Lease {
        let folder = "\(root)/\(tree)"
        let lease = try await BlockingThread.run { [root] in
            try Self.makeFolder(root)
            let lock = try Self.lock(folder, LOCK_SH)
            return Lease(folder: folder, lock: lock)
        }
        let bar = ProgressBar("fetching", isQuiet: quiet)
        defer { bar.clear() }
        // What is here already is compared, not fetched.
        _ = try await client.download(.tree(tree), to: folder, observer: bar.observer)
        try? await BlockingThread.run { [root] in Self.evict(in: root, except: "\(tree)") }
        return lease
    }

    private static func makeFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw LinajeError(.readOnly, "folder \(path) cannot be made: \(error)")
        }
    }

    /// Locks the file beside a folder, and notes that it was used now.
    private static func lock(_ folder: String, _ kind: Int32) throws -> Int32 {
        let path = "\(folder).lock"
        while true {
            let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else {
                throw LinajeError(
                    .readOnly, "\(path) cannot be written: \(String(cString: strerror(errno)))")
            }
            var (ours, there) = (stat(), stat())
            // One that was removed while we waited locks nothing.
            if flock(descriptor, kind) == 0, fstat(descriptor, &ours) == 0,
                lstat(path, &there) == 0, ours.st_ino == there.st_ino
            {
                _ = futimens(descriptor, nil)
                return descriptor
            }
            let isBusy = errno == EWOULDBLOCK && kind & LOCK_NB != 0
            close(descriptor)
            if isBusy { throw LinajeError(.conflict, "\(folder) is in use") }
        }
    }

    private static func evict(in root: String, except wanted: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        var unused: [(name: String, used: Int, bytes: UInt64)] = []
        for name in names where !name.hasSuffix(".lock") && name != wanted {
            var status = stat()
            let used = lstat("\(root)/\(name).lock", &status) == 0 ? status.st_mtim.tv_sec : 0
            unused.append((name, used, (try? FolderModelSource("\(root)/\(name)"))?.size ?? 0))
        }
        var bytes = unused.reduce(UInt64(0)) { $0 &+ $1.bytes }
        for model in unused.sorted(by: { $0.used < $1.used }) where bytes > mostBytes {
            let folder = "\(root)/\(model.name)"
            guard let lock = try? lock(folder, LOCK_EX | LOCK_NB) else { continue }
            defer { close(lock) }
            guard (try? FileManager.default.removeItem(atPath: folder)) != nil else { continue }
            unlink("\(folder).lock")
            bytes -= min(bytes, model.bytes)
        }
    }
}
