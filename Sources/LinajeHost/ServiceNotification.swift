import Dispatch
import Glibc

/// Tells systemd how this program is (sd_notify(3)): one datagram of lines to `$NOTIFY_SOCKET`.
/// Without that variable nothing happens.
package struct ServiceNotification: Sendable {
    private let address: String?

    package init(environment: [String: String]) { address = environment["NOTIFY_SOCKET"] }

    /// Whether somebody wants to know.
    package var isWanted: Bool { address != nil }

    /// The program does its work: the daemon answers on its socket. Nothing else says so again:
    /// while systemd's queue is full, it is tried again for some seconds.
    package func ready(_ status: String) { ready(status, attempts: 100) }

    private func ready(_ status: String, attempts: Int) {
        guard !send("READY=1", "STATUS=\(Self.line(status))"), attempts > 1 else { return }
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(50)) {
            ready(status, attempts: attempts - 1)
        }
    }

    /// What `systemctl status` shows.
    package func status(_ text: String) { send("STATUS=\(Self.line(text))") }

    /// The configuration is being read again; `ready` must follow.
    package func reloading() {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let microseconds = Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
        send("RELOADING=1", "MONOTONIC_USEC=\(microseconds)", "STATUS=reading the configuration")
    }

    /// The daemon takes no new connections.
    package func stopping(_ status: String) { send("STOPPING=1", "STATUS=\(Self.line(status))") }

    /// The daemon does its work; systemd restarts one that does not say so in time.
    package func alive() { send("WATCHDOG=1") }

    /// The start or the stop takes longer: the next sign of life comes within `time`.
    package func extendTimeout(by time: Duration, _ status: String) {
        send(
            "EXTEND_TIMEOUT_USEC=\(Int64(time / .microseconds(1)))", "STATUS=\(Self.line(status))")
    }

    /// A text may quote what has line breaks; one in a datagram begins another assignment.
    private static func line(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }

    /// Sends lines; false when the queue is full. That nobody listens is no error.
    @discardableResult
    private func send(_ lines: String...) -> Bool {
        guard let address, let first = address.utf8.first, address.utf8.count < 108 else {
            return true
        }
        var socketAddress = sockaddr_un()
        socketAddress.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(address.utf8)
        // "@" stands for the abstract namespace.
        if first == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &socketAddress.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        let message = Array(lines.joined(separator: "\n").utf8)
        let sent = withUnsafePointer(to: &socketAddress) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    descriptor, message, message.count,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT), $0, length)
            }
        }
        return sent >= 0 || errno != EAGAIN
    }
}
