import Glibc
import Logging

/// The journal's own socket (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram, one entry.
final class JournalSocket: Sendable {
    /// What became of an entry.
    enum Outcome: Sendable {
        case sent
        /// The journal is behind; the entry is lost.
        case full
        /// There is no journal.
        case gone
    }

    private static let path = "/run/systemd/journal/socket"
    private let descriptor: CInt

    /// `nil` when there is no journal.
    init?() {
        guard access(Self.path, W_OK) == 0 else { return nil }
        let kind =
            Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            | Int32(SOCK_NONBLOCK.rawValue)
        descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return nil }
    }

    deinit { close(descriptor) }

    /// Whether standard error is the stream that `$JOURNAL_STREAM` ("device:inode") names.
    static func isStandardError(_ stream: String?) -> Bool {
        guard let parts = stream?.split(separator: ":"), parts.count == 2,
            let device = UInt64(parts[0]), let inode = UInt64(parts[1])
        else { return false }
        var status = stat()
        guard fstat(STDERR_FILENO, &status) == 0 else { return false }
        return UInt64(status.st_dev) == device && UInt64(status.st_ino) == inode
    }

    /// Sends an entry and never waits. One that is too long for a datagram loses the end of its
    /// message.
    func send(_ entry: JournalEntry) -> Outcome {
        switch put(entry.bytes()) {
        case 0: return .sent
        case EMSGSIZE: return put(entry.bytes(messageLimit: 8_192)) == 0 ? .sent : .full
        case EAGAIN, ENOBUFS, ENOMEM: return .full
        default: return .gone
        }
    }

    /// Sent to the path each time: a journal that was restarted has another socket there.
    private func put(_ bytes: [UInt8]) -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = Array(Self.path.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let count = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0,
                    socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return count == bytes.count ? 0 : errno
    }
}

/// What the journal keeps of a log event: fields by name, in order.
struct JournalEntry: Sendable {
    private var message: String
    private var fields: [(name: String, value: String)]

    init(_ event: LogEvent, label: String, metadata: Logger.Metadata) {
        message = event.message.description
        fields = [
            ("PRIORITY", "\(event.level.priority)"), ("SYSLOG_IDENTIFIER", "linajed"),
            ("LOGGER", label), ("CODE_FILE", event.file), ("CODE_LINE", "\(event.line)"),
            ("CODE_FUNC", event.function),
        ]
        if let error = event.error { fields.append(("ERROR", "\(error)")) }
        let taken = Set(fields.map(\.name) + ["MESSAGE"])
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            let name = Self.fieldName(key)
            fields.append((taken.contains(name) ? "LINAJE_\(name)" : name, "\(value)"))
        }
    }

    /// A name the journal takes: capital letters, digits and underscores, a letter first, at most 64.
    static func fieldName(_ key: String) -> String {
        let mapped = key.utf8.prefix(57).map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - 32
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
            default: UInt8(ascii: "_")
            }
        }
        let name = String(decoding: mapped, as: UTF8.self)
        let first = name.unicodeScalars.first ?? "_"
        return ("A"..."Z").contains(first) ? name : "LINAJE_\(name)"
    }

    /// The datagram. A value with a line break is framed by its length, others are "NAME=value".
    func bytes(messageLimit: Int = .max) -> [UInt8] {
        var out: [UInt8] = []
        let message = String(decoding: message.utf8.prefix(messageLimit), as: UTF8.self)
        for (name, value) in [("MESSAGE", message)] + fields {
            out += name.utf8
            if value.utf8.contains(UInt8(ascii: "\n")) {
                out.append(UInt8(ascii: "\n"))
                withUnsafeBytes(of: UInt64(value.utf8.count).littleEndian) { out += $0 }
            } else {
                out.append(UInt8(ascii: "="))
            }
            out += value.utf8
            out.append(UInt8(ascii: "\n"))
        }
        return out
    }
}
