package import LinajeArtifacts
package import LinajeCatalog
package import LinajeDomain

/// Files: take in, list, read, and find by any name that content has.
package struct ArtifactService: Sendable {
    let catalog: CatalogStore
    let store: ArtifactStore
    let clock: any WallClock

    /// Opens an ingest session.
    package func begin(_ change: Change<IngestID>) async throws -> IngestID {
        let id = try await catalog.change(change) { _ in IngestID.random() }
        try await store.beginIngest(id)
        return id
    }

    package func openFile(
        _ ingest: IngestID, path: TreePath, mode: FileMode, size: UInt64?, sha256: SHA256Digest?
    ) async throws -> FileIngest {
        try await store.openFile(ingest, path: path, mode: mode, size: size, sha256: sha256)
    }

    /// Puts small files in a session; says how many of their bytes the store did not have.
    package func putFiles(_ ingest: IngestID, _ files: [WholeFile]) async throws -> UInt64 {
        try await store.putFiles(ingest, files)
    }

    /// Takes files over from a tree that is stored; says how many.
    ///
    /// What the catalog needs is whole. So of a tree that it needs now, and still in the transaction
    /// that commits the session's tree, nothing has to be looked up.
    ///
    /// - Throws: `notFound`, `incomplete` or `corrupt` with the detail `base_tree` when the tree cannot
    ///   be had; `notFound` for the session.
    package func inherit(
        _ ingest: IngestID, from base: SHA256Digest, kept: [UInt8]
    ) async throws -> Int {
        let isNeeded = try await catalog.read { reader in
            try reader.isContentNeeded(base, now: clock.now())
        }
        do {
            return try await store.inherit(ingest, from: base, kept: kept, isNeeded: isNeeded)
        } catch var error as LinajeError
            where [.notFound, .incomplete, .corrupt].contains(error.code)
            && error.details["ingest_id"] == nil
        {
            error.details["base_tree"] = "\(base)"
            throw error
        }
    }

    /// Makes the files of a session one tree: on disk first, then visible in one transaction.
    package func commit(
        _ ingest: IngestID, run: RunID?, path: TreePath?, _ change: Change<StoredTree>
    ) async throws -> StoredTree {
        if let done = try await catalog.remembered(change) { return done }
        let tree = try await store.prepareTree(ingest)
        let bases = try store.bases(of: ingest)
        // Also the session's blobs stay until it has ended, which is after the commit.
        let committed = try await catalog.change(change) { transaction in
            for base in bases
            where try !transaction.reader.isContentNeeded(base, now: transaction.now) {
                throw LinajeError(
                    .incomplete,
                    "tree \(base), of which files were taken over, is not needed any more and may be "
                        + "gone soon; put all files", details: ["base_tree": "\(base)"])
            }
            if let run {
                try transaction.mountTree(
                    run, path: path, tree: tree.digest, size: tree.size,
                    files: UInt64(clamping: tree.files))
            } else {
                let end =
                    transaction.now.microseconds
                    + Limits.treeLease.components.seconds * 1_000_000
                try transaction.lease(tree.digest, until: Timestamp(microseconds: end))
            }
            return tree
        }
        await store.endIngest(ingest)
        return committed
    }

    package func abort(_ ingest: IngestID, _ change: Change<Void>) async throws {
        await store.endIngest(ingest)
        try await catalog.change(change) { _ in }
    }

    // MARK: Reading

    /// The tree of a content URI, and the file it names when it names one file.
    ///
    /// - Parameter toLoad: whether its files are about to be read, which the verdict of a version may
    ///   block.
    /// - Throws: `notFound` when nothing is there; `failedPrecondition` for what may not be loaded.
    package func resolve(
        _ uri: ContentURI, toLoad: Bool = true
    ) async throws -> (tree: Tree, file: TreeEntry?) {
        switch uri {
        case .tree(let digest): return (try await leased(digest), nil)
        case .model(let model):
            return (try await leased(try await treeOfModel(model, toLoad: toLoad)), nil)
        case .run(let run, let path):
            let all = try await runTree(run)
            guard let path else { return (all, nil) }
            if let file = all.entry(at: path) { return (all, file) }
            let below = try all.subtree(at: path)
            guard !below.entries.isEmpty else {
                throw LinajeError(.notFound, "run \(run) has no artifact \"\(path)\"")
            }
            return (below, nil)
        }
    }

    /// All artifacts of a run as one tree: later uploads replace earlier files of the same path.
    package func runTree(_ run: RunID) async throws -> Tree {
        let mounts = try await catalog.read { reader in
            guard try reader.runStatus(run) != nil else {
                throw LinajeError(
                    .notFound, "run \(run) does not exist", details: ["run_id": "\(run)"])
            }
            return try reader.mounts(run)
        }
        store.lease(mounts.map(\.tree))
        var overlay = Overlay()
        for mount in mounts {
            for var entry in try await store.tree(mount.tree).entries {
                if let folder = mount.path { entry.path = try folder.appending(entry.path) }
                overlay.place(entry)
            }
        }
        return try Tree(Array(overlay.entries.values))
    }

    /// - Parameter checksFile: whether a whole file is compared with its own digest, too.
    package func read(
        _ entry: TreeEntry, range: Range<UInt64>?, checksFile: Bool = true
    ) async throws -> VerifiedRead {
        try await store.read(entry.sha256, range: range, checksFile: checksFile)
    }

    /// What stands at a place: a tree with paths below it, or a file.
    ///
    /// - Throws: `notFound` when nothing is there.
    package func place(
        _ uri: ContentURI, _ path: TreePath?
    ) async throws -> (tree: Tree, file: TreeEntry?) {
        let found = try await resolve(uri)
        guard let path else { return found }
        if found.file == nil {
            if let file = found.tree.entry(at: path) { return (found.tree, file) }
            let below = try found.tree.subtree(at: path)
            if !below.entries.isEmpty { return (below, nil) }
        }
        throw LinajeError(.notFound, "\(uri) has no file or folder \"\(path)\"")
    }

    /// Reads small files of a tree that was read before.
    ///
    /// - Parameters:
    ///   - wanted: entry `first` + n by bit n & 7 of byte n >> 3.
    ///   - begin: is told how many files there will be.
    ///   - give: gets files with the numbers of their entries, in no order.
    /// - Throws: `conflict` when another tree stands there by now, `limitExceeded` naming a file that
    ///   is not small.
    package func readSmall(
        of tree: Tree, wanted: [UInt8], from first: UInt64,
        begin: (Int) throws -> Void,
        _ give: ([ArtifactStore.Numbered<[UInt8]>]) async throws -> Void
    ) async throws {
        var files: [ArtifactStore.Numbered<TreeEntry>] = []
        for (number, entry) in tree.entries.enumerated().dropFirst(Int(clamping: first)) {
            let bit = number - Int(clamping: first)
            guard bit >> 3 < wanted.count else { break }
            guard wanted[bit >> 3] >> UInt8(bit & 7) & 1 == 1 else { continue }
            guard entry.size <= UInt64(Limits.smallFileBytes) else {
                throw LinajeError(
                    .limitExceeded,
                    "\"\(entry.path)\" has \(entry.size) bytes; at most \(Limits.smallFileBytes) are "
                        + "read with others: read it alone")
            }
            files.append((number, entry))
        }
        try begin(files.count)
        try await store.readSmall(files, give)
    }

    /// Stores a tree made of files that are stored already, and checks that all of it is there.
    /// Inside `ArtifactStore.keepingUsed`.
    ///
    /// - Throws: `incomplete` naming what is missing.
    func keep(_ tree: Tree) async throws -> StoredTree {
        let stored = try await store.storeTree(tree)
        try await store.requireComplete(stored.digest)
        return stored
    }

    /// A tree that its reader is about to read files of.
    private func leased(_ digest: SHA256Digest) async throws -> Tree {
        store.lease([digest])
        return try await store.tree(digest)
    }

    private func treeOfModel(_ uri: ModelURI, toLoad: Bool) async throws -> SHA256Digest {
        let found = try await catalog.read {
            toLoad ? try $0.resolveForLoading(uri) : try $0.resolve(uri)
        }
        switch found {
        case .version(let version): return version.tree
        case .loggedModel(let model):
            guard let tree = model.tree else {
                throw LinajeError(
                    .incomplete,
                    "logged model \(model.id) is \(model.status.rawValue): it has no files")
            }
            return tree
        }
    }

    /// The digest of a tree, whether or not it is stored.
    package static func digest(of tree: Tree) -> SHA256Digest {
        ContentHasher.digest(tree.canonical)
    }
}

/// Files laid over each other: a later file takes the place of a folder of its name, a later folder
/// that of a file.
private struct Overlay {
    private(set) var entries: [TreePath: TreeEntry] = [:]
    private var folders: Set<String> = []

    mutating func place(_ entry: TreeEntry) {
        var parent = entry.path.text[...]
        while let slash = parent.lastIndex(of: "/") {
            parent = parent[..<slash]
            // A folder that is known has no file in its way, and neither have those above it.
            guard folders.insert(String(parent)).inserted else { break }
            if let path = try? TreePath(String(parent)) { entries[path] = nil }
        }
        if folders.remove(entry.path.text) != nil {
            for path in entries.keys where path.relative(to: entry.path) != nil {
                entries[path] = nil
            }
            folders = folders.filter { !$0.hasPrefix(entry.path.text + "/") }
        }
        entries[entry.path] = entry
    }
}
