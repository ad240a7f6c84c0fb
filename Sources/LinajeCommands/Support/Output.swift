import Glibc
import Synchronization

/// What the program writes. Standard output is collected and written in large pieces when it is no
/// terminal.
enum Output {
    private static let pending = Mutex<[UInt8]>([])
    private static let isTerminal = isatty(STDOUT_FILENO) == 1

    /// A line on standard output.
    static func line(_ text: String) {
        let isFull = pending.withLock { bytes in
            bytes.append(contentsOf: text.utf8)
            bytes.append(UInt8(ascii: "\n"))
            return bytes.count >= 64 << 10
        }
        if isFull || isTerminal { flush() }
    }

    /// A JSON value as a part of a line on standard output.
    static func json(_ value: JSONValue, after mark: String) {
        let isFull = pending.withLock { bytes in
            bytes += mark.utf8
            value.write(to: &bytes)
            return bytes.count >= 64 << 10
        }
        if isFull { flush() }
    }

    /// A line on standard output that a reader of a pipe sees at once.
    static func lineNow(_ text: String) {
        line(text)
        flush()
    }

    /// Bytes on standard output as they are.
    static func bytes(_ content: [UInt8]) {
        pending.withLock { $0 += content }
        flush()
    }

    /// Bytes on standard output as they are, collected until it is enough or they are flushed.
    static func collect(_ content: [UInt8]) {
        let isFull = pending.withLock { bytes in
            bytes += content
            return bytes.count >= 64 << 10
        }
        if isFull { flush() }
    }

    /// Writes what was collected. A reader that has left ends the program quietly.
    static func flush() {
        pending.withLock { bytes in
            defer { bytes.removeAll(keepingCapacity: true) }
            var written = 0
            while written < bytes.count {
                let count = bytes.withUnsafeBytes { raw in
                    write(
                        STDOUT_FILENO, raw.baseAddress.map { $0 + written }, raw.count - written)
                }
                if count < 0, errno == EINTR { continue }
                if count < 0 { exit(errno == EPIPE ? 0 : ExitCodes.failed) }
                written += count
            }
        }
    }

    /// "linaje: error: …" on standard error.
    static func error(_ text: String) { complaint("linaje: error: \(text)") }

    /// "linaje: …" on standard error.
    static func note(_ text: String) { complaint("linaje: \(text)") }

    /// A line on standard error.
    static func complaint(_ text: String) { diagnostic(text + "\n") }

    /// Text on standard error, as it is.
    static func diagnostic(_ text: String) {
        let bytes = Array(text.utf8)
        // Nobody can be told that standard error does not work.
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}
