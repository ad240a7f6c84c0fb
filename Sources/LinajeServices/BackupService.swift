import CStorageCalls
import Dispatch
import Glibc
import LinajeArtifacts
package import LinajeDomain
import LinajePluginKit
import Logging
import Synchronization

/// Copies of everything, for whoever keeps them elsewhere, while the daemon serves.
///
/// Order makes a copy consistent: first no pack goes any more, then the catalog is copied, then the
/// metrics. So everything that the copy of the catalog refers to can be read until the backup is
/// over, and points that only the younger copy knows do no harm.
///
/// The copies of the databases have no name in the file system: a daemon that dies leaves nothing.
package final class BackupService: Sendable {
    /// A file of a backup.
    package struct File: Sendable, Hashable {
        /// Its name in the state directory.
        package var name: String
        /// Bytes of it.
        package var size: UInt64
    }

    /// What a backup tells while it is made ready.
    package enum News: Sendable {
        case step(String)
        case files([File])
    }

    /// An open backup.
    private struct Open: Sendable {
        var id: IngestID
        /// As `linaje status` shows it.
        var record: UpkeepRecord
        var copies: [String: CopiedFile]
        var packs: [PackName: UInt64]
    }

    /// Bytes that are read at once.
    private static let readBytes: UInt64 = 1 << 20
    /// What copies in the making are called; never what a key of the storage names.
    private static let temporaryPrefix = ".backup-"

    private let store: ArtifactStore
    /// By their file names, the one that refers to others first.
    private let databases: [(name: String, backend: any SQLBackend)]
    private let stateDirectory: String
    private let idle: Duration
    private let clock: any WallClock
    private let logger: Logger
    private let lastRead = Mutex(ContinuousClock.now)
    private let isTaken = Mutex(false)
    private let open = Mutex<Open?>(nil)

    init(
        store: ArtifactStore, databases: [(name: String, backend: any SQLBackend)],
        stateDirectory: String, idle: Duration = Limits.backupIdle,
        clock: any WallClock = SystemClock(), logger: Logger
    ) {
        self.store = store
        self.databases = databases
        self.stateDirectory = stateDirectory
        self.idle = idle
        self.clock = clock
        self.logger = logger
    }

    /// Makes a backup ready and keeps it until `body` returns.
    ///
    /// - Parameters:
    ///   - id: what `read` is told.
    ///   - report: told what it consists of.
    ///   - body: runs while the files can be read.
    /// - Throws: `failedPrecondition` while another backup is open, and when nothing is read of this
    ///   one for long; `storageFull` when there is no room for a copy of the databases.
    package func open(
        _ id: IngestID, report: (News) async throws -> Void,
        body: @escaping @Sendable () async -> Void
    ) async throws {
        let isMine = isTaken.withLock { isTaken in
            defer { isTaken = true }
            return !isTaken
        }
        guard isMine else {
            throw LinajeError(
                .failedPrecondition, "another backup is under way; try again when it is over")
        }
        defer { isTaken.withLock { $0 = false } }
        let begunAt = clock.now()
        let name = "a backup that began at \(begunAt.text)"
        func waiting(_ others: String) async throws {
            try await report(.step("waiting for \(others)"))
        }
        try await store.keepingPacks(as: name, waiting: waiting) {
            try Task.checkCancellation()
            var made = Open(
                id: id, record: UpkeepRecord(task: "backup", begunAt: begunAt), copies: [:],
                packs: [:])
            var files: [File] = []
            for (name, copy) in try await copies(report) {
                files.append(File(name: name, size: copy.size))
                made.copies[name] = copy
            }
            // After the catalog: all that the copy names, and what has come since.
            made.packs = try await store.packs()
            made.record.totalBytes =
                files.reduce(0) { $0 + $1.size } + made.packs.values.reduce(0, +)
            made.record.message = "collections and repairs wait for it"
            open.withLock { [made] in $0 = made }
            defer { open.withLock { $0 = nil } }
            try await report(.files(files))
            var rest = made.packs.keys.sorted()[...]
            while !rest.isEmpty {
                let part = rest.prefix(Limits.backupFilesPerMessage)
                rest = rest.dropFirst(part.count)
                try await report(
                    .files(part.map { File(name: $0.key, size: made.packs[$0] ?? 0) }))
            }
            logger.notice("a backup of \(made.packs.count) packs has begun")
            try await keep(while: body)
            logger.notice("the backup is over")
        }
    }

    /// How far the open backup is; `nil`: none is.
    package var record: UpkeepRecord? { open.withLock { $0?.record } }

    /// Reads a file of the open backup.
    ///
    /// - Parameters:
    ///   - begin: told how many bytes will come.
    ///   - piece: gets them.
    /// - Throws: `failedPrecondition` when the backup is over, `notFound` for a file that is gone.
    package func read(
        _ id: IngestID, _ name: String, begin: (UInt64) throws -> Void,
        piece: ([UInt8]) async throws -> Void
    ) async throws {
        guard let made = open.withLock({ $0 }), made.id == id else {
            throw LinajeError(.failedPrecondition, "backup \(id) is over; begin another")
        }
        let pack = PackName(key: name)
        let copy = made.copies[name]
        guard let size = copy?.size ?? pack.flatMap({ made.packs[$0] }) else {
            throw LinajeError(.invalidArgument, "the backup has no file \"\(name.prefix(100))\"")
        }
        var place: UInt64 = 0
        var isBegun = false
        repeat {
            let range = place..<min(place + Self.readBytes, size)
            var bytes: [UInt8] = []
            if let copy {
                bytes = try await copy.read(range)
            } else if let pack {
                bytes = try await store.packBytes(pack, range)
            }
            if !isBegun {
                // Only once it is known that there is something to read.
                try begin(size)
                isBegun = true
            }
            guard bytes.count == range.count else {
                throw LinajeError(
                    .corrupt,
                    "\(name) is shorter than the index says; run linaje fsck --read-data --repair")
            }
            if !bytes.isEmpty { try await piece(bytes) }
            lastRead.withLock { $0 = .now }
            open.withLock { if $0?.id == id { $0?.record.bytes += UInt64(bytes.count) } }
            place = range.upperBound
        } while place < size
    }

    /// Returns when `body` does. Whoever opened the backup may have been stopped and forgotten: that
    /// must not keep collections off for ever.
    private func keep(while body: @escaping @Sendable () async -> Void) async throws {
        lastRead.withLock { $0 = .now }
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { await body() }
            group.addTask {
                while self.lastRead.withLock({ $0 }).duration(to: .now) < self.idle {
                    try await Task.sleep(for: self.idle / 8)
                }
                throw LinajeError(
                    .failedPrecondition,
                    "backup was given up, because nothing of it was read for \(self.idle); begin "
                        + "another")
            }
            _ = try await group.next()
        }
    }

    // MARK: Copies

    private func copies(
        _ report: (News) async throws -> Void
    ) async throws -> [(String, CopiedFile)] {
        let folder = "\(stateDirectory)/tmp"
        guard storage_mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw CopiedFile.failure("make", folder)
        }
        CopiedFile.removeLeftovers(in: folder, prefix: Self.temporaryPrefix)
        var out: [(String, CopiedFile)] = []
        out.append(("format", try CopiedFile(opening: "\(stateDirectory)/format")))
        for (name, backend) in databases {
            try await report(.step("copying \(name)"))
            try CopiedFile.requireRoom(for: "\(stateDirectory)/\(name)", in: folder)
            let path = "\(folder)/\(Self.temporaryPrefix)\(IngestID.random())-\(name)"
            defer { storage_unlink(path) }
            try await backend.copy(to: path)
            out.append((name, try CopiedFile(opening: path)))
        }
        return out
    }
}

/// A file that is read by its descriptor, whatever becomes of its name.
private final class CopiedFile: Sendable {
    /// Where it is read, which blocks.
    private static let queue = DispatchQueue(label: "linaje.backup")

    private let path: String
    private let descriptor: Int32
    let size: UInt64

    init(opening path: String) throws {
        let descriptor = storage_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0)
        guard descriptor >= 0 else { throw CopiedFile.failure("open", path) }
        var status = storage_status()
        guard storage_status_of_file(descriptor, &status) == 0 else {
            defer { storage_close(descriptor) }
            throw CopiedFile.failure("open", path)
        }
        self.path = path
        self.descriptor = descriptor
        size = status.size
    }

    deinit { storage_close(descriptor) }

    func read(_ range: Range<UInt64>) async throws -> [UInt8] {
        let (descriptor, path) = (descriptor, path)
        return try await withCheckedThrowingContinuation { continuation in
            CopiedFile.queue.async {
                continuation.resume(
                    with: Result { try CopiedFile.read(descriptor, range, of: path) })
            }
        }
    }

    private static func read(
        _ descriptor: Int32, _ range: Range<UInt64>, of path: String
    ) throws -> [UInt8] {
        var failed: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            while count < range.count {
                let got = storage_pread(
                    descriptor, buffer.baseAddress.map { $0 + count }, range.count - count,
                    Int64(range.lowerBound) + Int64(count))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failed = errno }
                guard got > 0 else { break }
                count += got
            }
        }
        errno = failed
        guard failed == 0 else { throw failure("read", path) }
        return bytes
    }

    /// - Throws: `storageFull` when a folder has no room for a copy of a database and its log.
    static func requireRoom(for database: String, in folder: String) throws {
        var needed: UInt64 = 0
        for suffix in ["", "-wal"] {
            var status = storage_status()
            if storage_status_of(database + suffix, &status) == 0 { needed += status.size }
        }
        var room = statvfs()
        guard statvfs(folder, &room) == 0 else { return }
        let free = UInt64(room.f_bavail) &* UInt64(room.f_frsize)
        guard free < needed else { return }
        throw LinajeError(
            .storageFull,
            "no room for a copy of \(database): \(ByteCount(needed)) are needed in \(folder), "
                + "\(ByteCount(free)) are free; free space and try again")
    }

    /// Removes what a daemon left that died while it copied.
    static func removeLeftovers(in folder: String, prefix: String) {
        guard let listing = storage_open_folder(folder) else { return }
        defer { storage_close_folder(listing) }
        var names: [String] = []
        var name = [CChar](repeating: 0, count: 256)
        while storage_next_name(listing, &name) > 0 {
            let text = name.withUnsafeBytes {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if text.hasPrefix(prefix) { names.append(text) }
        }
        for name in names { storage_unlink("\(folder)/\(name)") }
    }

    static func failure(_ action: String, _ path: String) -> LinajeError {
        let number = errno
        let code: LinajeError.Code =
            switch number {
            case ENOSPC, EDQUOT: .storageFull
            case EACCES, EPERM, EROFS: .readOnly
            default: .storageFailed
            }
        return LinajeError(
            code, "cannot \(action) \(path): \(String(cString: strerror(number)))")
    }
}
