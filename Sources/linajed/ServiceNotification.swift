import Glibc

/// Tells systemd how the daemon is (sd_notify(3)): one datagram of lines to `$NOTIFY_SOCKET`.
/// Without that variable nothing happens.
struct ServiceNotification: Sendable {
    private let address: String?

    init(environment: [String: String]) { address = environment["NOTIFY_SOCKET"] }

    /// Sends e.g. "READY=1", "STATUS=…". That nobody listens is no error.
    func send(_ lines: String...) {
        guard let address, let first = address.utf8.first, address.utf8.count < 108 else { return }
        var socketAddress = sockaddr_un()
        socketAddress.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(address.utf8)
        // "@" stands for the abstract namespace.
        if first == UInt8(ascii: "@") { bytes[0] = 0 }
        withUnsafeMutableBytes(of: &socketAddress.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let message = Array(lines.joined(separator: "\n").utf8)
        withUnsafePointer(to: &socketAddress) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(
                    descriptor, message, message.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
