import LinajeArtifacts
import LinajeClient
import LinajeDomain

/// The files of one open backup, wherever they come from.
protocol BackupSource: Sendable {
    /// Everything that it consists of.
    var files: [BackupFile] { get }
    /// Reads a file, whole, and hands its bytes over in their order.
    func read(_ file: BackupFile, piece: ([UInt8]) async throws -> Void) async throws
}

extension OpenBackup: BackupSource {
    func read(_ file: BackupFile, piece: ([UInt8]) async throws -> Void) async throws {
        for try await bytes in try await self.read(file) { try await piece(bytes) }
    }
}

/// Makes a generation of a backup: the databases whole, of the packs those that are not there yet.
struct BackupMaking {
    /// What came of it.
    struct Outcome: Sendable {
        var generation = ""
        var packs = 0
        var newPacks = 0
        var bytes: UInt64 = 0
        var newBytes: UInt64 = 0
        /// Packs that the daemon's store has and that cannot be read there.
        var lost: [String] = []
        var removedGenerations: [String] = []
        var removedPacks = 0
    }

    let folder: BackupFolder
    let backup: any BackupSource
    /// Which daemon it is of.
    let agent: String
    /// Generations that stay.
    let keep: Int
    /// Whether packs that are damaged are left out.
    let acceptsDamage: Bool
    let step: @Sendable (String) -> Void

    func run() async throws -> Outcome {
        let (folder, keep) = (folder, keep)
        var outcome = Outcome()
        var manifest = BackupManifest(
            madeAt: SystemClock().now(), agent: agent.filter { $0 != "\n" })
        let made = "\(folder.temporary)/generation"
        try await BlockingThread.run { try Folders.make(made) }
        let packs = try backup.files.compactMap { file -> (PackName, BackupFile)? in
            if BackupManifest.fileNames.contains(file.name) { return nil }
            guard let pack = PackName(key: file.name) else {
                throw LinajeError(
                    .badMessage,
                    "the daemon names \"\(file.name.prefix(80))\", which no backup has")
            }
            return (pack, file)
        }
        for file in backup.files where BackupManifest.fileNames.contains(file.name) {
            step("copying \(file.name), \(ByteCount(file.size))")
            let digest = try await copy(file, to: "\(made)/\(file.name)")
            manifest.files.append(.init(name: file.name, size: file.size, sha256: digest))
            outcome.newBytes += file.size
        }
        let known = try await BlockingThread.run { try Self.known(folder) }
        for (number, (pack, file)) in packs.enumerated() {
            step("pack \(number + 1) of \(packs.count), \(ByteCount(outcome.newBytes)) copied")
            do {
                if try await add(pack, file, isKnown: known.contains(pack)) {
                    outcome.newPacks += 1
                    outcome.newBytes += file.size
                }
                manifest.packs[pack] = file.size
            } catch let error as LinajeError
                where acceptsDamage && [.corrupt, .notFound].contains(error.code)
            {
                manifest.lost.append(pack)
                outcome.lost.append("\(pack.key): \(error.message)")
            }
        }
        outcome.packs = manifest.packs.count
        outcome.bytes = manifest.size
        let (text, moment) = (manifest.text, manifest.madeAt)
        outcome.generation = try await BlockingThread.run {
            let file = try NewFile("\(made)/manifest")
            try file.write(text)
            try file.sync()
            return try folder.add(made, at: moment).name
        }
        let pruned = try await BlockingThread.run { try folder.prune(keeping: keep) }
        outcome.removedGenerations = pruned.generations
        outcome.removedPacks = pruned.packs
        return outcome
    }

    /// Packs that a generation names: they were checked when they came.
    private static func known(_ folder: BackupFolder) throws -> Set<PackName> {
        var known: Set<PackName> = []
        for generation in try folder.generations() {
            // A manifest that is damaged vouches for nothing.
            guard let manifest = try? folder.manifest(of: generation) else { continue }
            known.formUnion(manifest.packs.keys)
        }
        return known
    }

    /// Puts a pack into the folder unless it is there.
    ///
    /// - Returns: whether it was copied.
    /// - Throws: `corrupt`, `notFound` for a pack that the daemon does not have as it was.
    private func add(
        _ pack: PackName, _ file: BackupFile, isKnown: Bool
    ) async throws -> Bool {
        let root = folder.packs
        let path = PackFile.path(pack, in: root)
        let isThere = try await BlockingThread.run {
            guard try Folders.size(path) == file.size else { return false }
            // What an interrupted backup left is read: nobody has vouched for it yet.
            if !isKnown { guard (try? PackFile.check(path, is: pack)) != nil else { return false } }
            return true
        }
        guard !isThere else { return false }
        let part = "\(folder.temporary)/pack"
        do {
            _ = try await copy(file, to: part)
            try await BlockingThread.run {
                try PackFile.check(part, is: pack)
                try Folders.make(Folders.parent(of: path))
                try Folders.move(part, to: path)
            }
        } catch let error as LinajeError where [.corrupt, .notFound].contains(error.code) {
            guard acceptsDamage else {
                throw LinajeError(
                    error.code,
                    "\(pack.key) is damaged in the daemon's store (\(error.message)); run linaje "
                        + "fsck --read-data --repair, or back up the rest with --despite-damage")
            }
            throw error
        }
        return true
    }

    /// Copies a file of the daemon, durably.
    ///
    /// - Returns: the SHA-256 of what was written.
    private func copy(_ file: BackupFile, to path: String) async throws -> SHA256Digest {
        let target = try await BlockingThread.run { try NewFile(path) }
        var hasher = ContentHasher()
        var pending: [UInt8] = []
        var count: UInt64 = 0
        func flush() async throws {
            let (piece, before) = (pending, hasher)
            pending = []
            hasher = try await BlockingThread.run {
                var hasher = before
                hasher.update(piece)
                try target.write(piece)
                return hasher
            }
            count += UInt64(piece.count)
        }
        try await backup.read(file) { bytes in
            pending += bytes
            if pending.count >= FileInput.pieceBytes { try await flush() }
        }
        try await flush()
        guard count == file.size else {
            throw LinajeError(
                .incomplete, "\(file.name) came with \(count) of \(file.size) bytes; try again")
        }
        try await BlockingThread.run { try target.sync() }
        return hasher.digest
    }
}
