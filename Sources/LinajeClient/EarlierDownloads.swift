import Glibc
import LinajeDomain

/// Whole files that earlier downloads have written on this machine, by digest: what can be linked or
/// cloned rather than fetched. Nothing is kept for that; it is what downloads remember.
struct EarlierDownloads: Sendable {
    /// A file as it was when it was written.
    struct Source: Sendable {
        var path: String
        var stamp: FileStamp
        var mode: FileMode
    }

    /// How a file may come from another one.
    enum Way: Sendable {
        /// Sharing blocks until one of them is changed.
        case clone
        /// Another name of the same file, which nobody may write to.
        case hardLink
    }

    /// Folders that are looked through, the last ones.
    static let folders = 8
    /// Below that a clone is not worth its calls.
    private static let cloned: UInt64 = 64 << 10

    /// Files of the same content that are tried.
    private static let sourcesEach = 4

    private var sources: [SHA256Digest: [Source]]

    /// Whether they have nothing that is wanted.
    var isEmpty: Bool { sources.isEmpty }

    /// - Parameter wanted: of which content.
    init(_ memories: [UploadMemory], wanted: Set<SHA256Digest>) {
        var sources: [SHA256Digest: [Source]] = [:]
        for memory in memories {
            guard let folder = memory.folder else { continue }
            for file in memory.files
            where file.isSure && file.mode != .link && wanted.contains(file.sha256)
                && sources[file.sha256, default: []].count < Self.sourcesEach
            {
                sources[file.sha256, default: []].append(
                    Source(
                        path: "\(folder)/\(file.path)", stamp: file.stamp, mode: file.mode))
            }
        }
        self.sources = sources
    }

    /// Writes an entry from an earlier download; `nil` when none serves, and it has to be fetched.
    mutating func write(
        _ entry: TreeEntry, to folder: DestinationFolder, _ way: Way
    ) throws -> FileStamp? {
        guard entry.mode != .link, way == .hardLink || entry.size >= Self.cloned else { return nil }
        for (number, source) in (sources[entry.sha256] ?? []).enumerated() {
            guard let file = Self.open(source) else { continue }
            defer { close(file) }
            switch way {
            case .hardLink:
                guard source.mode == entry.mode, Self.isReadOnly(file),
                    let stamp = try folder.hardLink(entry.path, to: file)
                else { continue }
                // It has one name more, which shows in its times.
                sources[entry.sha256]?[number].stamp = stamp
                return stamp
            case .clone:
                let partial = try folder.begin(
                    entry.path, executable: entry.mode == .executable)
                // Looked at once more: it is what it was until it was cloned.
                guard partial.clone(file), Self.isSame(file, source) else { continue }
                return try partial.commit()
            }
        }
        return nil
    }

    private static func open(_ source: Source) -> Int32? {
        let file = Glibc.open(source.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { return nil }
        guard isSame(file, source) else {
            close(file)
            return nil
        }
        return file
    }

    private static func isSame(_ file: Int32, _ source: Source) -> Bool {
        var status = stat()
        return fstat(file, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            && status.st_uid == geteuid() && FileStamp(status) == source.stamp
    }

    private static func isReadOnly(_ file: Int32) -> Bool {
        var status = stat()
        return fstat(file, &status) == 0 && status.st_mode & 0o222 == 0
    }
}
