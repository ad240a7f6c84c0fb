import Glibc

/// What changes when somebody changes a file, and what it is told by without reading it.
struct FileStamp: Sendable, Hashable {
    /// Bytes of the content.
    var size: UInt64
    /// When content and inode were changed last, in nanoseconds since 1970 UTC.
    var modified: Int64
    var changed: Int64
    var inode: UInt64
    var device: UInt64

    init(size: UInt64, modified: Int64, changed: Int64, inode: UInt64, device: UInt64) {
        self.size = size
        self.modified = modified
        self.changed = changed
        self.inode = inode
        self.device = device
    }

    init(_ status: stat) {
        self.init(
            size: UInt64(clamping: status.st_size),
            modified: Self.nanoseconds(status.st_mtim), changed: Self.nanoseconds(status.st_ctim),
            inode: UInt64(status.st_ino), device: UInt64(status.st_dev))
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
