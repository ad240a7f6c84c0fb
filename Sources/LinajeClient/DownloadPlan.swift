import Glibc
import LinajeDomain

/// What of a tree stands in a folder already, and how the rest is fetched. By numbers of its entries.
struct DownloadPlan: Sendable {
    /// Files and links that are as the tree has them, as they look.
    var kept: [(entry: Int, file: UploadMemory.File)] = []
    /// Fetched many together: files that are not long, and links.
    var small: [Int] = []
    /// Fetched each for itself; the next one is the last.
    var large: [Int] = []

    /// Compares a folder with a tree: size and type first, then what is remembered of the file if it
    /// looks as it did, else its content.
    ///
    /// - Parameter remembered: by path; empty: every file is read.
    static func make(
        _ tree: Tree, _ folder: DestinationFolder, remembered: [UploadMemory.File]
    ) async throws -> DownloadPlan {
        let half = tree.entries.count / 2
        async let front = BlockingWork.run {
            try DownloadPlan(tree, 0..<half, folder, remembered)
        }
        async let back = BlockingWork.run {
            try DownloadPlan(tree, half..<tree.entries.count, folder, remembered)
        }
        var plan = try await front
        let rest = try await back
        plan.kept += rest.kept
        plan.small += rest.small
        plan.large += rest.large
        plan.large.reverse()
        return plan
    }

    private init(
        _ tree: Tree, _ range: Range<Int>, _ folder: DestinationFolder,
        _ remembered: [UploadMemory.File]
    ) throws {
        var known = remembered[...]
        for number in range {
            let entry = tree.entries[number]
            known = known.drop { $0.path < entry.path }
            let memory = known.first.flatMap { $0.path == entry.path ? $0 : nil }
            if let file = try Self.standing(entry, folder, memory) {
                kept.append((number, file))
            } else if entry.mode == .link || entry.size <= UInt64(Limits.smallFileBytes) {
                small.append(number)
            } else {
                large.append(number)
            }
        }
    }

    /// Takes from earlier downloads what they have; the plan with what is left.
    func linked(
        _ tree: Tree, _ folder: DestinationFolder, _ store: UploadMemoryStore,
        _ way: EarlierDownloads.Way
    ) throws -> DownloadPlan {
        let missing = small + large
        guard !missing.isEmpty else { return self }
        var earlier = EarlierDownloads(
            store.loadOthers(atMost: EarlierDownloads.folders),
            wanted: Set(missing.lazy.map { tree.entries[$0].sha256 }))
        guard !earlier.isEmpty else { return self }
        var plan = self
        func isLeft(_ number: Int) throws -> Bool {
            let entry = tree.entries[number]
            guard let stamp = try earlier.write(entry, to: folder, way) else { return true }
            plan.kept.append((number, UploadMemory.File(entry, stamp, isSure: false)))
            return false
        }
        let left = (small: try small.filter(isLeft), large: try large.filter(isLeft))
        (plan.small, plan.large) = left
        return plan
    }

    /// Makes sure that nothing is replaced but what an earlier download has written.
    ///
    /// - Parameter earlier: what that has written there, by path.
    /// - Throws: `conflict` naming one that somebody else has put there or changed.
    func checkReplaced(
        _ tree: Tree, _ folder: DestinationFolder, _ earlier: [UploadMemory.File]
    ) throws {
        var stamps: [TreePath: FileStamp] = [:]
        for file in earlier where file.isSure { stamps[file.path] = file.stamp }
        for number in small + large {
            let entry = tree.entries[number]
            try Self.checkFree(entry, folder, or: stamps[entry.path])
        }
    }

    /// - Parameter written: how what may be replaced looks.
    /// - Throws: `conflict` when something else stands there.
    static func checkFree(
        _ entry: TreeEntry, _ folder: DestinationFolder, or written: FileStamp? = nil
    ) throws {
        guard let status = try folder.status(entry.path), FileStamp(status) != written else {
            return
        }
        throw LinajeError(
            .conflict,
            "\(folder.shown)\(entry.path) is there already, neither with this content nor as an earlier "
                + "get has left it; nothing was written: name a destination, or replace it with "
                + "--force")
    }

    /// How an entry looks that stands in the folder as the tree has it; `nil` when it does not.
    static func standing(
        _ entry: TreeEntry, _ folder: DestinationFolder, _ memory: UploadMemory.File?
    ) throws -> UploadMemory.File? {
        guard let status = try folder.status(entry.path) else { return nil }
        if entry.mode == .link {
            guard status.st_mode & S_IFMT == S_IFLNK, let target = try folder.target(entry.path),
                try ContentHash.digest(of: target) == entry.sha256
            else { return nil }
            return UploadMemory.File(entry, FileStamp(status), isSure: false)
        }
        guard status.st_mode & S_IFMT == S_IFREG, UInt64(clamping: status.st_size) == entry.size
        else { return nil }
        let mode = LocalTree.mode(status)
        if let memory, memory.isSure, memory.sha256 == entry.sha256, mode == entry.mode,
            memory.stamp == FileStamp(status)
        {
            return memory
        }
        return try sameContent(entry, folder)
    }

    /// Reads a file; its mode is put right when its content is.
    private static func sameContent(
        _ entry: TreeEntry, _ folder: DestinationFolder
    ) throws -> UploadMemory.File? {
        guard let reading = try folder.read(entry.path), reading.size == entry.size else {
            return nil
        }
        var hasher = ContentHash()
        var offset: UInt64 = 0
        while offset < reading.size {
            // What changes meanwhile is fetched.
            guard let bytes = try? reading.piece(at: offset, into: &hasher) else { return nil }
            offset += UInt64(bytes.count)
        }
        guard try hasher.digest() == entry.sha256, (try? reading.checkUnchanged()) != nil,
            let stamp = reading.setExecutable(entry.mode == .executable)
        else { return nil }
        return UploadMemory.File(entry, stamp, isSure: false)
    }
}

extension UploadMemory.File {
    init(_ entry: TreeEntry, _ stamp: FileStamp, isSure: Bool) {
        self.init(
            path: entry.path, mode: entry.mode, stamp: stamp, sha256: entry.sha256, isSure: isSure)
    }
}
