import CLinux
import Glibc
import LinajeDomain
import Synchronization

/// A file on its way into a `DestinationFolder`; removed again unless it is committed, or may be
/// resumed. Its calls block, and one task uses it at a time.
final class PartialFile: Sendable {
    /// What is worth being kept of a file that was interrupted.
    private static let worthKeeping: UInt64 = 1 << 20

    private struct State {
        var size: UInt64
        var isCommitted = false
        var isWrong = false
    }

    private let descriptor: Int32
    private let folder: FolderDescriptor
    private let temporary: String
    private let name: String
    private let shown: String
    /// Whether the bytes may be found again, by the temporary name.
    private let isResumable: Bool
    private let state: Mutex<State>

    /// - Parameter resumed: bytes of an earlier attempt; `nil`: nobody could find what is left of it.
    init(
        descriptor: Int32, folder: FolderDescriptor, temporary: String, name: String,
        shown: String, resumed: UInt64? = nil
    ) {
        self.descriptor = descriptor
        self.folder = folder
        self.temporary = temporary
        self.name = name
        self.shown = shown
        isResumable = resumed != nil
        state = Mutex(State(size: resumed ?? 0))
    }

    deinit {
        let state = state.withLock { $0 }
        let isKept = isResumable && !state.isWrong && state.size >= Self.worthKeeping
        // Before it is closed: its lock keeps others from resuming it meanwhile.
        if !state.isCommitted, !isKept { unlinkat(folder.descriptor, temporary, 0) }
        close(descriptor)
    }

    /// Begins after the bytes of an earlier attempt, hashing them.
    ///
    /// - Parameter size: of the whole file.
    /// - Returns: how many there are.
    func takeUp(_ size: UInt64, _ hasher: inout ContentHash) throws -> UInt64 {
        let found = state.withLock { $0.size }
        guard found >= Self.worthKeeping, found <= size,
            try hash(found, &hasher), lseek(descriptor, off_t(found), SEEK_SET) == off_t(found)
        else {
            hasher = ContentHash()
            try restart()
            return 0
        }
        return found
    }

    /// Begins anew.
    func restart() throws {
        guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
            throw fileError("written", shown, errno)
        }
        state.withLock { $0.size = 0 }
    }

    private func hash(_ count: UInt64, _ hasher: inout ContentHash) throws -> Bool {
        var done: UInt64 = 0
        while done < count {
            let wanted = Int(min(count - done, UInt64(LocalFileReading.pieceBytes)))
            let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
                filled = max(0, pread(descriptor, buffer.baseAddress, wanted, off_t(done)))
            }
            guard !bytes.isEmpty else { return false }
            hasher.update(bytes)
            done += UInt64(bytes.count)
        }
        return true
    }

    func write(_ bytes: [UInt8]) throws {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                Glibc.write(
                    descriptor, raw.baseAddress.map { $0 + written }, raw.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw fileError("written", shown, errno) }
            written += count
        }
        state.withLock { $0.size += UInt64(bytes.count) }
    }

    /// Takes the content of another file by sharing its blocks; false where the file system cannot.
    func clone(_ file: Int32) -> Bool { clinux_clone(file, descriptor) == 0 }

    /// Lets nobody write to it any more.
    func protect() throws {
        var status = stat()
        guard fstat(descriptor, &status) == 0, fchmod(descriptor, status.st_mode & 0o7555) == 0
        else { throw fileError("written", shown, errno) }
    }

    /// Its bytes are not those that were wanted: nobody shall go on with them.
    func discard() { state.withLock { $0.isWrong = true } }

    /// Gives the file its name, in place of what has it; says how it looks then.
    @discardableResult
    func commit() throws -> FileStamp {
        guard renameat(folder.descriptor, temporary, folder.descriptor, name) == 0 else {
            throw DestinationFolder.renameError(shown, errno)
        }
        state.withLock { $0.isCommitted = true }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw fileError("read", shown, errno) }
        return FileStamp(status)
    }
}
