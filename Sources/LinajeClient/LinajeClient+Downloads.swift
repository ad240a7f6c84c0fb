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
}

extension LinajeClient {
    /// Writes a stored file or folder to this machine.
    ///
    /// Each file is checked against its SHA-256 before it gets its name; links are written last.
    /// Nothing is written outside the destination. Files that are there already are replaced,
    /// others stay.
    ///
    /// - Parameters:
    ///   - root: a run's artifacts, a model's tree, a tree.
    ///   - path: which file or folder of it; `nil`: what the root names.
    ///   - destination: for a folder, the folder that gets its content; for a file, the file, or
    ///     the folder that gets it when it is there or ends with "/".
    /// - Throws: `notFound`; `corrupt` when bytes do not match their digest.
    public func download(
        _ root: ContentURI, path: TreePath? = nil, to destination: String,
        observer: TransferObserver? = nil
    ) async throws -> DownloadedTree {
        var (root, path) = (root, path)
        if case .run(let id, let folder?) = root {
            root = .run(id, path: nil)
            path = try path.map { try folder.appending($0) } ?? folder
        }
        if let entries = try await folder(root, path), !entries.isEmpty || path == nil {
            return try await downloadTree(root, entries, destination, observer)
        }
        let reading = try await read(root, path: path)
        return try await downloadFile(reading, destination, observer)
    }

    /// All files below a folder with paths relative to it; `nil` when there is no such folder.
    private func folder(
        _ root: ContentURI, _ path: TreePath?
    ) async throws -> [(stored: TreePath, entry: ArtifactEntry)]? {
        do {
            let entries = try await all { page in
                try await self.artifacts(
                    of: root, below: path, recursive: true, page: page
                ).entries
            }
            // A listing of a file names the file itself, which is not below it.
            return try entries.compactMap { entry in
                guard let path else { return (entry.path, entry) }
                guard let rest = entry.path.relative(to: path) else { return nil }
                var moved = entry
                moved.path = try TreePath(rest)
                return (entry.path, moved)
            }
        } catch let error as LinajeError
            where error.code == .notFound
        {
            // The read that follows says what is missing.
            return nil
        }
    }

    private func downloadTree(
        _ root: ContentURI, _ entries: [(stored: TreePath, entry: ArtifactEntry)],
        _ destination: String, _ observer: TransferObserver?
    ) async throws -> DownloadedTree {
        let size = entries.reduce(0) { $0 &+ $1.entry.size.bytes }
        let progress = ProgressKeeper(
            total: TransferProgress(totalFiles: entries.count, totalBytes: size), observer)
        let folder = try await BlockingWork.run { try DestinationFolder(destination) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            var rest = entries.filter { $0.entry.kind != .link && $0.entry.kind != .folder }
                .makeIterator()
            for _ in 0..<Self.filesAtOnce {
                guard let next = rest.next() else { break }
                group.addTask { try await self.fetch(root, next, folder, progress) }
            }
            while try await group.next() != nil {
                guard let next = rest.next() else { continue }
                group.addTask { try await self.fetch(root, next, folder, progress) }
            }
        }
        for next in entries where next.entry.kind == .link {
            try await fetchLink(root, next, folder, progress)
        }
        return DownloadedTree(
            destination: destination, files: entries.count, size: ByteCount(size))
    }

    private func fetch(
        _ root: ContentURI, _ file: (stored: TreePath, entry: ArtifactEntry),
        _ folder: DestinationFolder, _ progress: ProgressKeeper
    ) async throws {
        try await retrying {
            let mark = ProgressMark(progress)
            do {
                let reading = try await self.read(root, path: file.stored)
                let partial = try await BlockingWork.run {
                    try folder.begin(file.entry.path, executable: file.entry.kind == .executable)
                }
                try await self.copy(reading, expecting: file.entry, to: partial, mark)
            } catch {
                mark.takeBack()
                throw error
            }
        }
        progress.filesDone(1)
    }

    /// Copies and checks a file, then gives it its name.
    private func copy(
        _ reading: ArtifactReading, expecting entry: ArtifactEntry, to partial: PartialFile,
        _ progress: ProgressMark
    ) async throws {
        var hasher = ContentHash()
        var size: UInt64 = 0
        for try await bytes in reading {
            let before = hasher
            hasher = try await BlockingWork.run {
                var hasher = before
                hasher.update(bytes)
                try partial.write(bytes)
                return hasher
            }
            size += UInt64(bytes.count)
            progress.add(bytes.count)
        }
        try Self.check(hasher.digest(), size, entry)
        try await BlockingWork.run { try partial.commit() }
    }

    private func fetchLink(
        _ root: ContentURI, _ link: (stored: TreePath, entry: ArtifactEntry),
        _ folder: DestinationFolder, _ progress: ProgressKeeper
    ) async throws {
        let target = try await retrying {
            var target: [UInt8] = []
            for try await bytes in try await self.read(root, path: link.stored) {
                target += bytes
                guard target.count <= Limits.linkTargetBytes else {
                    throw LinajeError(
                        .corrupt, "link \(link.entry.path) has a target longer than any link has")
                }
            }
            return target
        }
        try Self.check(
            ContentHash.digest(of: target), UInt64(target.count), link.entry)
        try await BlockingWork.run { try folder.link(link.entry.path, to: target) }
        progress.add(target.count)
        progress.filesDone(1)
    }

    private func downloadFile(
        _ reading: ArtifactReading, _ destination: String, _ observer: TransferObserver?
    ) async throws -> DownloadedTree {
        let entry = reading.file
        let progress = ProgressKeeper(
            total: TransferProgress(totalFiles: 1, totalBytes: entry.size.bytes), observer)
        let (folder, name) = try Self.place(entry.path, destination)
        let target = try await BlockingWork.run { try DestinationFolder(folder) }
        if entry.kind == .link {
            var bytes: [UInt8] = []
            for try await piece in reading where bytes.count <= Limits.linkTargetBytes {
                bytes += piece
            }
            try Self.check(ContentHash.digest(of: bytes), UInt64(bytes.count), entry)
            let content = bytes
            try await BlockingWork.run { try target.link(name, to: content) }
        } else {
            let partial = try await BlockingWork.run {
                try target.begin(name, executable: entry.kind == .executable)
            }
            try await copy(reading, expecting: entry, to: partial, ProgressMark(progress))
        }
        progress.filesDone(1)
        let path = folder.hasSuffix("/") ? folder + name.text : folder + "/" + name.text
        return DownloadedTree(destination: path, files: 1, size: entry.size)
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

    private static func check(
        _ digest: SHA256Digest, _ size: UInt64, _ entry: ArtifactEntry
    ) throws {
        guard digest == entry.sha256, size == entry.size.bytes else {
            throw LinajeError(
                .corrupt,
                "\(entry.path) arrived as other bytes than its digest says; it was not written: "
                    + "try again, and check the store")
        }
    }
}
