import Glibc
public import LinajeDomain
import LinajeTransport
import LinajeWire

/// What was downloaded.
public struct DownloadedTree: Sendable, Hashable {
    /// Where it is now: the file or the folder.
    public var destination: String
    public var files: Int
    public var size: ByteCount
    /// Files and links of it that stood there already.
    public var unchanged = 0
    /// Files that share their bytes with those of an earlier download.
    public var linked = 0
    /// Files and links that are not in it and were removed.
    public var removed = 0
}

/// How a folder is downloaded.
public struct DownloadOptions: Sendable, Hashable {
    /// Read every file that stands there, rather than believing its size and times.
    public var verify: Bool
    /// Remove what is not in the tree.
    public var exact: Bool
    /// Write files read-only, and where an earlier download with this option has the same file, make
    /// another name of that: it takes no room. Without it, files share blocks where the file system can.
    public var hardLinks: Bool
    /// Replace what stands there, differs and was not written by an earlier download; without it that
    /// is a `conflict`, and nothing is written.
    public var replaces: Bool

    public init(
        verify: Bool = false, exact: Bool = false, hardLinks: Bool = false, replaces: Bool = true
    ) {
        self.verify = verify
        self.exact = exact
        self.hardLinks = hardLinks
        self.replaces = replaces
    }
}

extension LinajeClient {
    /// Writes a stored file or folder to this machine.
    ///
    /// Each file is checked against its SHA-256 before it gets its name. Nothing is written outside
    /// the destination. What stands there already is not fetched, so a download that was interrupted
    /// goes on where it was; files that differ are replaced, others stay.
    ///
    /// - Parameters:
    ///   - root: a run's artifacts, a model's tree, a tree.
    ///   - path: which file or folder of it; `nil`: what the root names.
    ///   - destination: for a folder, the folder that gets its content; for a file, the file, or
    ///     the folder that gets it when it is there or ends with "/". `nil`: a folder goes into one
    ///     of its own in the current folder, named after what was asked, a file keeps its name.
    /// - Throws: `notFound`; `corrupt` when bytes do not match their digest; `conflict` when the root
    ///   means something else by the end than at first, or something stands there that is not to be
    ///   replaced.
    public func download(
        _ root: ContentURI, path: TreePath? = nil, to destination: String?,
        options: DownloadOptions = DownloadOptions(), observer: TransferObserver? = nil
    ) async throws -> DownloadedTree {
        let place = try ArtifactPlace(root, path)
        switch try await readTree(place) {
        case .file(let entry):
            return try await downloadFile(place, entry, destination ?? ".", options, observer)
        case .tree(let tree, let digest):
            let name = path.map { LocalTree.baseName($0.text) } ?? root.localName
            return try await downloadTree(
                TreeSource(place: place, tree: tree, digest: digest), destination ?? "./\(name)",
                options, observer)
        }
    }

    private enum Found {
        case tree(Tree, SHA256Digest)
        case file(TreeEntry)
    }

    private func readTree(_ place: ArtifactPlace) async throws -> Found {
        try await retrying {
            var request = Linaje_V1_ReadTreeRequest()
            request.root = place.root
            request.path = place.path?.text ?? ""
            let stream = try await self.connections.connection().open(Methods.readTree, request)
            let opened = try await stream.response()
            if opened.hasFile { return .file(try TreeEntry(opened.file)) }
            let digest = try SHA256Digest(opened.tree.digest, noun: "digest of the tree")
            var text: [UInt8] = []
            while let bytes = try await stream.next() { text += bytes }
            guard try ContentHash.digest(of: text) == digest else {
                throw LinajeError(
                    .corrupt,
                    "tree \(digest) arrived as other bytes than its digest says: try again")
            }
            return .tree(try Tree(canonical: text), digest)
        }
    }

    // MARK: A folder

    private func downloadTree(
        _ source: TreeSource, _ destination: String, _ options: DownloadOptions,
        _ observer: TransferObserver?
    ) async throws -> DownloadedTree {
        let tree = source.tree
        let progress = ProgressKeeper(
            total: TransferProgress(totalFiles: tree.entries.count, totalBytes: tree.size),
            observer)
        let memories = configuration.downloadMemory
        let (folder, store, earlier) = try await BlockingWork.run {
            let folder = try DestinationFolder(destination)
            let store = memories.flatMap {
                UploadMemoryStore(folder: $0, path: destination, socket: "")
            }
            return (folder, store, store?.load()?.files ?? [])
        }
        let remembered = options.verify ? [] : earlier
        var removed = 0
        if options.exact {
            removed += try await BlockingWork.run { try folder.prune(tree, onlyObstacles: true) }
        }
        var plan = try await DownloadPlan.make(tree, folder, remembered: remembered)
        let (unchanged, hardLinks) = (plan.kept.count, options.hardLinks)
        if !options.replaces {
            let compared = plan
            try await BlockingWork.run { try compared.checkReplaced(tree, folder, earlier) }
        }
        if let store, !options.verify {
            let compared = plan
            plan = try await BlockingWork.run {
                try compared.linked(
                    tree, folder, store, hardLinks ? .hardLink : .clone)
            }
        }
        progress.skip(plan.kept.map(\.file))
        let written = try await fetch(plan, source, folder, protected: hardLinks, progress)
        if options.exact {
            removed += try await BlockingWork.run { try folder.prune(tree, onlyObstacles: false) }
        }
        if let store {
            let files = (plan.kept + written).sorted { $0.entry < $1.entry }.map(\.file)
            try await BlockingWork.run {
                store.save(
                    UploadMemory(
                        tree: source.digest, files: Self.sure(files, folder), folder: store.path))
            }
        }
        return DownloadedTree(
            destination: destination, files: tree.entries.count, size: ByteCount(tree.size),
            unchanged: unchanged, linked: plan.kept.count - unchanged, removed: removed)
    }

    /// Notes of which files a later change would show in their times.
    private static func sure(
        _ files: [UploadMemory.File], _ folder: DestinationFolder
    ) -> [UploadMemory.File] {
        let latest = files.reduce(Int64.min) { max($0, $1.stamp.changed) }
        let passes = !files.isEmpty && folder.clockPasses(latest)
        return files.map { file in
            var file = file
            file.isSure = passes && file.stamp.modified <= latest
            return file
        }
    }

    /// Fetches the small files in one stream, and beside it a few others at a time.
    private func fetch(
        _ plan: DownloadPlan, _ source: TreeSource, _ folder: DestinationFolder,
        protected: Bool, _ progress: ProgressKeeper
    ) async throws -> [(entry: Int, file: UploadMemory.File)] {
        try await withThrowingTaskGroup(of: [(entry: Int, file: UploadMemory.File)].self) { group in
            var large = plan.large
            var written: [(entry: Int, file: UploadMemory.File)] = []
            if !plan.small.isEmpty {
                group.addTask {
                    try await self.fetchSmall(
                        plan.small, source, folder, protected: protected, progress)
                }
            }
            func addNext() {
                guard let number = large.popLast() else { return }
                group.addTask {
                    let entry = source.tree.entries[number]
                    let stamp = try await self.fetch(
                        source.place(of: entry), entry, folder, entry.path, protected: protected,
                        progress)
                    return [(number, UploadMemory.File(entry, stamp, isSure: false))]
                }
            }
            for _ in 0..<Self.filesAtOnce { addNext() }
            while let part = try await group.next() {
                written += part
                addNext()
            }
            return written
        }
    }

    // MARK: A file

    /// Fetches one file, after the bytes that an earlier attempt has left.
    private func fetch(
        _ place: ArtifactPlace, _ entry: TreeEntry, _ folder: DestinationFolder, _ path: TreePath,
        protected: Bool = false, _ progress: ProgressKeeper
    ) async throws -> FileStamp {
        let stamp = try await retrying {
            let mark = ProgressMark(progress)
            do {
                let partial = try await BlockingWork.run {
                    try folder.resume(
                        path, executable: entry.mode == .executable, sha256: entry.sha256)
                }
                if try await !self.fetch(place, entry, partial, mark, isFirst: true) {
                    // What was left was of something else.
                    mark.takeBack()
                    let again = ProgressMark(progress)
                    guard try await self.fetch(place, entry, partial, again, isFirst: false) else {
                        throw Self.corrupt(entry)
                    }
                }
                return try await BlockingWork.run {
                    if protected { try partial.protect() }
                    return try partial.commit()
                }
            } catch {
                mark.takeBack()
                throw error
            }
        }
        progress.filesDone(1)
        return stamp
    }

    /// - Returns: false when bytes of an earlier attempt are wrong.
    private func fetch(
        _ place: ArtifactPlace, _ entry: TreeEntry, _ partial: PartialFile,
        _ progress: ProgressMark, isFirst: Bool
    ) async throws -> Bool {
        let (start, begun) = try await BlockingWork.run {
            var hasher = ContentHash()
            if isFirst { return (try partial.takeUp(entry.size, &hasher), hasher) }
            try partial.restart()
            return (0, hasher)
        }
        progress.add(Int(clamping: start))
        let reading = try await read(place, start, checking: true)
        guard reading.file.sha256 == entry.sha256 else { throw Self.changed(entry) }
        reading.keepFilled()
        var hasher = begun
        var size = start
        var pieces = reading.makeAsyncIterator()
        while true {
            let batch = try await pieces.nextBatch()
            guard !batch.isEmpty else { break }
            let before = hasher
            async let hashed = BlockingWork.run {
                var hasher = before
                for bytes in batch { hasher.update(bytes) }
                return hasher
            }
            async let written: Void = BlockingWork.run {
                for bytes in batch { try partial.write(bytes) }
            }
            hasher = try await hashed
            try await written
            let count = batch.reduce(0) { $0 + $1.count }
            size += UInt64(count)
            progress.add(count)
        }
        guard try hasher.digest() == entry.sha256, size == entry.size else {
            if start > 0 { return false }
            partial.discard()
            throw try await wrong(place, entry)
        }
        return true
    }

    private func downloadFile(
        _ place: ArtifactPlace, _ entry: TreeEntry, _ destination: String,
        _ options: DownloadOptions, _ observer: TransferObserver?
    ) async throws -> DownloadedTree {
        let progress = ProgressKeeper(
            total: TransferProgress(totalFiles: 1, totalBytes: entry.size), observer)
        let (folder, name) = try Self.place(entry.path, destination)
        let target = try await BlockingWork.run { try DestinationFolder(folder) }
        var wanted = entry
        wanted.path = name
        let (sought, at) = (wanted, target)
        let standing = try await BlockingWork.run { try DownloadPlan.standing(sought, at, nil) }
        if standing == nil, !options.replaces {
            try await BlockingWork.run { try DownloadPlan.checkFree(sought, at) }
        }
        if let standing {
            progress.skip([standing])
        } else if entry.mode == .link {
            var bytes: [UInt8] = []
            for try await piece in try await read(place, 0, checking: true)
            where bytes.count <= Limits.linkTargetBytes {
                bytes += piece
            }
            guard try ContentHash.digest(of: bytes) == entry.sha256 else {
                throw Self.corrupt(entry)
            }
            let content = bytes
            try await BlockingWork.run { try target.link(name, to: content) }
            progress.filesDone(1)
        } else {
            _ = try await fetch(place, entry, target, name, progress)
        }
        let path = folder.hasSuffix("/") ? folder + name.text : folder + "/" + name.text
        return DownloadedTree(
            destination: path, files: 1, size: ByteCount(entry.size),
            unchanged: standing == nil ? 0 : 1)
    }

    /// The folder and name a single file gets.
    private static func place(
        _ path: TreePath, _ destination: String
    ) throws -> (folder: String, name: TreePath) {
        var status = stat()
        let isFolder =
            destination.hasSuffix("/")
            || stat(destination, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        if isFolder { return (destination, try TreePath(LocalTree.baseName(path.text))) }
        guard let slash = destination.lastIndex(of: "/") else {
            return (".", try TreePath(destination))
        }
        let folder = String(destination[..<slash])
        return (
            folder.isEmpty ? "/" : folder,
            try TreePath(String(destination[destination.index(after: slash)...]))
        )
    }

    /// What the daemon says when it checks a file itself that arrived as another: it knows why, and may
    /// put it right.
    private func wrong(_ place: ArtifactPlace, _ entry: TreeEntry) async throws -> LinajeError {
        for try await _ in try await read(place, 0, checking: false) {}
        return Self.corrupt(entry)
    }

    static func corrupt(_ entry: TreeEntry) -> LinajeError {
        LinajeError(
            .corrupt,
            "\(entry.path) arrived as other bytes than its digest says; it was not written: "
                + "try again, and check the store")
    }

    static func changed(_ entry: TreeEntry) -> LinajeError {
        LinajeError(.conflict, "\(entry.path) became another file while it was read; read it again")
    }
}

/// A tree on its way to this machine.
struct TreeSource: Sendable {
    var place: ArtifactPlace
    var tree: Tree
    var digest: SHA256Digest

    /// Where one of its files is.
    func place(of entry: TreeEntry) throws -> ArtifactPlace {
        var file = place
        file.path = try place.path?.appending(entry.path) ?? entry.path
        return file
    }
}
