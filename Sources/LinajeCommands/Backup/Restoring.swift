import CStorageCalls
import Glibc
import LinajeArtifacts
import LinajeClient
import LinajeDomain

/// Makes a state directory from a generation of a backup. Blocks.
///
/// It is made beside its place, and gets its name when everything in it is durable and was checked
/// as it stands there: an interrupted restore leaves no state directory, and goes on when it is run
/// again.
struct Restoring {
    /// What came of it.
    struct Outcome: Sendable {
        var generation = ""
        var madeAt = Timestamp(microseconds: 0)
        var packs = 0
        var bytes: UInt64 = 0
        /// Packs that were damaged when the backup was made.
        var lost: [String] = []
    }

    /// Says that a folder is a restore that is under way.
    private static let markName = ".linaje-restore"

    let folder: BackupFolder
    let generation: String?
    let stateDirectory: String
    let step: @Sendable (String) -> Void

    /// - Throws: `failedPrecondition` when the directory is not empty, `corrupt` for anything that
    ///   is not as it was backed up, `storageFull`.
    func run() throws -> Outcome {
        let generation = try folder.generation(generation)
        let manifest = try folder.manifest(of: generation)
        let target = Folders.trimmed(stateDirectory)
        let owner = try Self.owner(of: target)
        let missing = try manifest.packs.keys.filter {
            try Folders.size(PackFile.path($0, in: folder.packs)) != manifest.packs[$0]
        }
        guard missing.isEmpty else {
            throw LinajeError(
                .corrupt,
                "\(missing.count) packs of generation \(generation.name) are gone from the backup "
                    + "or have another size, \(missing.min()?.key ?? "") for one; nothing was "
                    + "restored: use another copy of the backup")
        }
        let place = target + ".restoring"
        try begin(place, owner)
        var outcome = Outcome(generation: generation.name, madeAt: manifest.madeAt)
        for file in manifest.files {
            step(file.name)
            try copy(file, of: generation, to: place, owner)
        }
        try Folders.make("\(place)/packs", owner: owner)
        var folders: Set<String> = []
        for (number, (pack, size)) in manifest.packs.sorted(by: { $0.key < $1.key }).enumerated() {
            step("pack \(number + 1) of \(manifest.packs.count)")
            let path = PackFile.path(pack, in: place)
            try Folders.make(Folders.parent(of: path), owner: owner)
            folders.insert(Folders.parent(of: path))
            try copy(pack, size, to: path, owner)
        }
        for folder in folders.sorted() { try Folders.sync(folder) }
        try Folders.sync("\(place)/packs")
        try Folders.sync(place)
        try finish(place, target)
        outcome.packs = manifest.packs.count
        outcome.bytes = manifest.size
        outcome.lost = manifest.lost.sorted().map(\.key)
        return outcome
    }

    // MARK: Steps

    /// Whose the directory is to be: whose it is already, when root restores.
    private static func owner(of target: String) throws -> FileOwner? {
        guard let names = try Folders.names(target) else { return nil }
        guard names.isEmpty else {
            throw LinajeError(
                .failedPrecondition,
                "\(target) is not empty; a backup is restored to a directory that is empty or not "
                    + "there: stop the daemon and move the old one away")
        }
        var status = storage_status()
        guard geteuid() == 0, storage_status_of(target, &status) == 0 else { return nil }
        return FileOwner(user: status.owner, group: status.group)
    }

    private func begin(_ place: String, _ owner: FileOwner?) throws {
        if let names = try Folders.names(place), !names.isEmpty {
            guard names.contains(Self.markName) else {
                throw LinajeError(
                    .failedPrecondition,
                    "\(place) is in the way and no restore that was interrupted; move it away")
            }
        }
        try Folders.make(place, owner: owner)
        _ = try NewFile("\(place)/\(Self.markName)", owner: owner)
    }

    private func copy(
        _ file: BackupManifest.File, of generation: BackupFolder.Generation, to place: String,
        _ owner: FileOwner?
    ) throws {
        let source = "\(folder.path(of: generation))/\(file.name)"
        let target = try NewFile("\(place)/\(file.name)", owner: owner)
        var hasher = ContentHasher()
        try FileInput(source).forEach {
            hasher.update($0)
            try target.write($0)
        }
        guard hasher.digest == file.sha256 else {
            throw LinajeError(
                .corrupt,
                "\(source) does not match its digest; nothing was restored: use another "
                    + "generation (linaje backup --list \(folder.path))")
        }
        try target.sync()
    }

    private func copy(
        _ pack: PackName, _ size: UInt64, to path: String, _ owner: FileOwner?
    ) throws {
        // What an earlier restore has brought here already.
        if try Folders.size(path) == size, (try? PackFile.check(path, is: pack)) != nil { return }
        let target = try NewFile(path, owner: owner)
        try FileInput(PackFile.path(pack, in: folder.packs)).forEach { try target.write($0) }
        try target.sync()
        try PackFile.check(path, is: pack)
    }

    private func finish(_ place: String, _ target: String) throws {
        guard storage_rename(place, target) == 0 else {
            let number = errno
            guard number == EBUSY || number == ENOTEMPTY || number == EEXIST else {
                throw fileError("written", target, number)
            }
            throw LinajeError(
                .failedPrecondition,
                "\(target) cannot be replaced, because it is a mount point or is not empty any "
                    + "more; what was restored is in \(place) and whole: move it")
        }
        // Only now: without its mark nobody would go on with it.
        storage_unlink("\(target)/\(Self.markName)")
        try Folders.sync(Folders.parent(of: target))
    }
}
