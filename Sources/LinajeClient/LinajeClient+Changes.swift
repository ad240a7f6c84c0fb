public import LinajeDomain

/// What has changed in a folder since it was uploaded.
public struct FolderChanges: Sendable, Hashable {
    /// What was uploaded.
    public var tree: SHA256Digest
    /// Whether the daemon still has it.
    public var isStored: Bool
    /// How many files are as they were.
    public var unchanged: Int
    /// Files with other content or another mode.
    public var modified: [TreePath]
    public var added: [TreePath]
    public var deleted: [TreePath]
}

extension LinajeClient {
    /// Compares a file or folder with what was uploaded of it last, by what this client remembers
    /// (`ClientConfiguration.uploadMemory`).
    ///
    /// - Returns: `nil` when nothing is remembered.
    public func changes(in path: String) async throws -> FolderChanges? {
        let found = try await BlockingWork.run { [configuration, socket = connections.socket] in
            try Self.compare(path, folder: configuration.uploadMemory, socket: socket)
        }
        guard var changes = found else { return nil }
        do {
            _ = try await artifacts(of: .tree(changes.tree), page: Page(limit: 1, token: ""))
        } catch let error as LinajeError where error.code == .notFound {
            changes.isStored = false
        }
        return changes
    }

    private static func compare(
        _ path: String, folder: String?, socket: String
    ) throws -> FolderChanges? {
        let files = try LocalTree.files(at: path)
        guard
            let memory = folder.flatMap({
                UploadMemoryStore(folder: $0, path: path, socket: socket)
            })?.load()
        else { return nil }
        var changes = FolderChanges(
            tree: memory.tree, isStored: true, unchanged: 0, modified: [], added: [], deleted: [])
        var index = 0
        for file in files {
            while index < memory.files.count, memory.files[index].path < file.path {
                changes.deleted.append(memory.files[index].path)
                index += 1
            }
            guard index < memory.files.count, memory.files[index].path == file.path else {
                changes.added.append(file.path)
                continue
            }
            if try isSame(file, memory.files[index]) {
                changes.unchanged += 1
            } else {
                changes.modified.append(file.path)
            }
            index += 1
        }
        changes.deleted += memory.files[index...].map(\.path)
        return changes
    }

    /// Reads the file only when its stamp does not tell.
    private static func isSame(_ file: LocalFile, _ before: UploadMemory.File) throws -> Bool {
        if before.isSame(as: file) { return true }
        guard before.mode == file.mode, before.stamp.size == file.size else { return false }
        guard file.mode != .link else {
            return try ContentHash.digest(of: LocalTree.target(of: file.source)) == before.sha256
        }
        let reading = try LocalFileReading(file.source, followingLink: file.isNamed)
        var hasher = ContentHash()
        var offset: UInt64 = 0
        while offset < reading.size {
            offset += UInt64(try reading.piece(at: offset, into: &hasher).count)
        }
        return try hasher.digest() == before.sha256
    }
}
