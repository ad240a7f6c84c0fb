import LinajeDomain

/// What of a folder is sent how.
struct UploadPlan: Sendable {
    /// The tree of an earlier upload whose files are taken over, and which of them.
    var base: SHA256Digest?
    var kept: [UInt8] = []
    var keptFiles: [UploadMemory.File] = []
    /// Sent many together: files that are not long, and links.
    var small: [LocalFile] = []
    /// Sent each for itself; the next one is the last.
    var large: [LocalFile] = []
    var total: TransferProgress

    init(_ files: [LocalFile], _ memory: UploadMemory?) {
        total = TransferProgress(
            totalFiles: files.count, totalBytes: files.reduce(0) { $0 &+ $1.size })
        var rest = files
        if let memory {
            (kept, keptFiles, rest) = memory.compare(files)
            if !keptFiles.isEmpty { base = memory.tree }
        }
        for file in rest {
            if file.mode == .link || file.size <= UInt64(Limits.smallFileBytes) {
                small.append(file)
            } else {
                large.append(file)
            }
        }
        large.reverse()
    }
}

/// What was sent.
struct PutFiles: Sendable {
    var files: [UploadMemory.File] = []
    /// Bytes that the store did not have.
    var newBytes: UInt64 = 0
    /// Files that are longer than they were when the folder was walked, and have to be sent alone.
    var grown: [LocalFile] = []

    mutating func add(_ other: PutFiles) {
        files += other.files
        newBytes &+= other.newBytes
        grown += other.grown
    }
}

extension LinajeError {
    /// Whether the tree that files were to be taken over from cannot be had.
    var isAboutBase: Bool { details["base_tree"] != nil }
}
