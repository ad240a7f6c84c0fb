import CStorageCalls
import Glibc
import LinajeDomain

/// The stamp of a state directory: `format`, which says what is in it and who opened it last
/// (normative: `proto-spec/STORAGE.md`, "The state directory").
struct StateFormat: Equatable {
    /// The layout that this version reads and writes.
    static let current = 1
    private static let fileName = "format"
    /// Longest stamp that is read.
    private static let maximumBytes = 256

    /// The version of the layout.
    var layout: Int
    /// The version of linajed that opened the directory last.
    var writer: String

    /// The stamp of a directory; `nil` for one that has none: it is new, or from before stamps.
    ///
    /// - Throws: `corrupt` for a stamp that cannot be read.
    static func read(_ directory: String) throws -> StateFormat? {
        let path = "\(directory)/\(fileName)"
        let descriptor = storage_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0)
        if descriptor < 0, errno == ENOENT { return nil }
        guard descriptor >= 0 else { throw unreadable(path, String(cString: strerror(errno))) }
        defer { storage_close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: maximumBytes)
        let count = storage_read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw unreadable(path, String(cString: strerror(errno))) }
        guard let format = StateFormat(String(decoding: bytes[..<count], as: UTF8.self)) else {
            throw unreadable(path, "it does not begin as stamps do")
        }
        return format
    }

    /// - Throws: `storeTooNew` naming both layouts, when this version does not know the directory's.
    func requireKnown(_ directory: String, version: String) throws {
        guard layout > Self.current else { return }
        throw LinajeError(
            .storeTooNew,
            "state directory \(directory) has layout \(layout), last opened by linajed "
                + "\(writer); this is linajed \(version), which knows layouts up to "
                + "\(Self.current): update linajed, or restore a copy of the directory from before")
    }

    /// Writes the stamp, durably and at once or not at all; not when it says the same already.
    static func stamp(_ directory: String, version: String) throws {
        let wanted = StateFormat(layout: current, writer: version)
        guard try read(directory) != wanted else { return }
        let path = "\(directory)/\(fileName)"
        let descriptor = storage_open(
            path + ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw FileFacts.failure("write", path) }
        defer { storage_close(descriptor) }
        let bytes = Array(wanted.text.utf8)
        guard storage_write(descriptor, bytes, bytes.count) == bytes.count,
            storage_fsync(descriptor) == 0, storage_rename(path + ".new", path) == 0
        else { throw FileFacts.failure("write", path) }
        try FileFacts.syncFolder(directory)
    }

    init(layout: Int, writer: String) {
        self.layout = layout
        self.writer = writer
    }

    /// Reads a stamp's text; later layouts may add lines.
    init?(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 3, lines[0].hasPrefix("linaje state "),
            let layout = Int(lines[0].dropFirst("linaje state ".count)), layout > 0,
            lines[1].hasPrefix("linajed ")
        else { return nil }
        self.init(layout: layout, writer: String(lines[1].dropFirst("linajed ".count)))
    }

    var text: String { "linaje state \(layout)\nlinajed \(writer)\n" }

    private static func unreadable(_ path: String, _ reason: String) -> LinajeError {
        LinajeError(
            .corrupt, "\(path) cannot be read (\(reason)); run linajed --recover")
    }
}
