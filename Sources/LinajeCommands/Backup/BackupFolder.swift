import CStorageCalls
import Glibc
import LinajeArtifacts
import LinajeClient
import LinajeDomain

/// The folder that a backup is kept in.
///
/// ```
/// DEST/                                    0700
///   linaje-backup                          which layout this is
///   lock                                   flock(2), held by whoever writes or reads
///   packs/ab/abcd….pack                    the packs of all generations
///   generations/7-2026-11-26T192300Z/      format, catalog.db, metrics.db, manifest
///   tmp/                                   what is on its way
/// ```
/// A generation appears by one rename, when everything that it names is durable; one that was
/// interrupted leaves packs that the next one finds. Its calls block.
final class BackupFolder: Sendable {
    /// A generation by its number and its name.
    struct Generation: Sendable, Hashable {
        var number: Int
        var name: String
    }

    private static let markName = "linaje-backup"
    private static let mark = "linaje backup 1\n"

    let path: String
    private let lock: Int32

    var packs: String { path }
    var temporary: String { "\(path)/tmp" }
    private var generationsPath: String { "\(path)/generations" }

    /// Opens the folder to write to it; makes it when it is not there.
    ///
    /// - Throws: `failedPrecondition` when something else is in it, `alreadyRunning` when another
    ///   backup writes to it, `storeTooNew`.
    init(writing path: String) throws {
        self.path = Folders.trimmed(path)
        let names = try Folders.names(self.path)
        if names == nil { try Folders.make(self.path) }
        let isOurs = names?.contains(Self.markName) ?? false
        guard isOurs || (names ?? []).isEmpty || names == ["lost+found"] else {
            throw LinajeError(
                .failedPrecondition,
                "\(path) is not empty and no backup of linaje; name another folder")
        }
        lock = try Self.takeLock(self.path, LOCK_EX)
        if isOurs {
            try Self.checkMark(self.path)
        } else {
            // The owner only: what is in the databases is nobody else's.
            storage_chmod(self.path, 0o700)
            let file = try NewFile("\(self.path)/\(Self.markName).new")
            try file.write(Array(Self.mark.utf8))
            try file.sync()
            try Folders.move(file.path, to: "\(self.path)/\(Self.markName)")
        }
        for folder in [generationsPath, "\(self.path)/packs", temporary] {
            try Folders.make(folder)
        }
        for name in try Folders.names(temporary) ?? [] {
            if storage_unlink("\(temporary)/\(name)") != 0 {
                try Folders.remove("\(temporary)/\(name)")
            }
        }
    }

    /// Opens the folder to read it.
    ///
    /// - Throws: `notFound` when it is no backup, `alreadyRunning` while one writes to it.
    init(reading path: String) throws {
        self.path = Folders.trimmed(path)
        guard try Folders.names(self.path)?.contains(Self.markName) == true else {
            throw LinajeError(.notFound, "\(path) is no backup of linaje; check the path")
        }
        try Self.checkMark(self.path)
        lock = try Self.takeLock(self.path, LOCK_SH)
    }

    deinit { if lock >= 0 { storage_close(lock) } }

    // MARK: Generations

    /// All that are there, oldest first.
    func generations() throws -> [Generation] {
        try (Folders.names(generationsPath) ?? []).compactMap { name in
            guard let dash = name.firstIndex(of: "-"), let number = Int(name[..<dash]) else {
                return nil
            }
            return Generation(number: number, name: name)
        }.sorted { $0.number < $1.number }
    }

    /// The one of that name or number; `nil`: the newest.
    ///
    /// - Throws: `notFound`.
    func generation(_ wanted: String?) throws -> Generation {
        let all = try generations()
        guard let wanted else {
            guard let newest = all.last else {
                throw LinajeError(
                    .notFound, "\(path) has no generation yet: no backup to it was completed")
            }
            return newest
        }
        guard let found = all.last(where: { $0.name == wanted || "\($0.number)" == wanted }) else {
            throw LinajeError(
                .notFound,
                "\(path) has no generation \(wanted); linaje backup --list \(path) names them")
        }
        return found
    }

    func path(of generation: Generation) -> String { "\(generationsPath)/\(generation.name)" }

    /// - Throws: `corrupt`, `storeTooNew`.
    func manifest(of generation: Generation) throws -> BackupManifest {
        let path = "\(path(of: generation))/manifest"
        guard let size = try Folders.size(path), size <= UInt64(Limits.backupManifestBytes) else {
            throw LinajeError(
                .corrupt,
                "manifest \(path) is gone or too long; use another generation of the backup")
        }
        return try BackupManifest(
            FileInput(path).bytes(at: 0, count: Int(size)), path: path)
    }

    /// Gives a generation that was written to `tmp` its name. Everything in it and every pack that it
    /// names is durable.
    func add(_ made: String, at moment: Timestamp) throws -> Generation {
        let number = (try generations().last?.number ?? 0) + 1
        let time = moment.text.prefix { $0 != "." && $0 != "Z" }.filter { $0 != ":" }
        let generation = Generation(number: number, name: "\(number)-\(time)Z")
        try Folders.sync(made)
        try Folders.move(made, to: path(of: generation))
        return generation
    }

    /// Removes all generations but the newest `count`, and the packs that only they had.
    ///
    /// - Returns: the generations that went, and how many packs.
    /// - Throws: `corrupt` for a manifest that cannot be read: nothing is removed then.
    func prune(keeping count: Int) throws -> (generations: [String], packs: Int) {
        let all = try generations()
        let old = all.dropLast(count)
        guard !old.isEmpty else { return ([], 0) }
        var needed: Set<PackName> = []
        for generation in all.suffix(count) {
            needed.formUnion(try manifest(of: generation).packs.keys)
        }
        for generation in old {
            // Without its name first: a half of one is none.
            let doomed = "\(temporary)/\(generation.name)"
            try Folders.move(path(of: generation), to: doomed)
            try Folders.sync(generationsPath)
            try Folders.remove(doomed)
        }
        var removed = 0
        for folder in try Folders.names("\(path)/packs") ?? [] {
            let folder = "packs/\(folder)"
            for name in try Folders.names("\(path)/\(folder)") ?? [] {
                guard let pack = PackName(key: "\(folder)/\(name)"), !needed.contains(pack) else {
                    continue
                }
                storage_unlink("\(path)/\(folder)/\(name)")
                removed += 1
            }
        }
        return (old.map(\.name), removed)
    }

    // MARK: Parts

    private static func checkMark(_ path: String) throws {
        let file = "\(path)/\(markName)"
        let text = String(decoding: try FileInput(file).bytes(at: 0, count: 64), as: UTF8.self)
        guard text == mark else {
            throw LinajeError(
                .storeTooNew, "\(path) is a backup of a layout that this linaje does not know")
        }
    }

    private static func takeLock(_ path: String, _ kind: Int32) throws -> Int32 {
        let flags = O_CLOEXEC | O_NOFOLLOW
        var lock = storage_open("\(path)/lock", flags | O_RDWR | O_CREAT, 0o600)
        if lock < 0 { lock = storage_open("\(path)/lock", flags | O_RDONLY, 0) }
        guard lock >= 0 else {
            // A medium that cannot be written has nobody who writes to it.
            if kind == LOCK_SH, errno == EROFS || errno == ENOENT || errno == EACCES { return -1 }
            throw fileError("locked", path, errno)
        }
        guard flock(lock, kind | LOCK_NB) == 0 else {
            storage_close(lock)
            throw LinajeError(
                .alreadyRunning, "another linaje uses backup \(path); try again when it is done")
        }
        return lock
    }
}
