import FoundationEssentials
import Glibc
import LinajeDomain

/// What a folder takes on the disk.
enum DiskUse {
    /// Bytes of the blocks of all files below `folder`; `nil` when it cannot be read, as when the
    /// daemon is another user's.
    static func bytes(in folder: String) -> ByteCount? {
        guard let names = try? FileManager.default.subpathsOfDirectory(atPath: folder) else {
            return nil
        }
        var blocks: UInt64 = 0
        for name in names {
            var facts = stat()
            guard lstat("\(folder)/\(name)", &facts) == 0 else { continue }
            blocks += UInt64(max(0, facts.st_blocks))
        }
        return ByteCount(blocks * 512)
    }

    /// How long a file is; `nil` when it cannot be looked at.
    static func length(ofFile path: String) -> UInt64? {
        var facts = stat()
        return lstat(path, &facts) == 0 ? UInt64(max(0, facts.st_size)) : nil
    }
}
