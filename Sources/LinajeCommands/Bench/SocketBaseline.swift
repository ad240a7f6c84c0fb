import Glibc
import LinajeDomain

/// What a Unix socket of this machine can carry: what streams out of the daemon are measured by.
enum SocketBaseline {
    /// Bytes of a write: of a frame of points.
    private static let frame = 98_304

    /// How long `count` bytes take from one thread to another.
    ///
    /// - Throws: `unavailable` when there is no socket to be had.
    static func transfer(_ count: Int) async throws -> Duration {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw failure("made")
        }
        let (writer, reader) = (ends[0], ends[1])
        defer {
            close(writer)
            close(reader)
        }
        let start = ContinuousClock.now
        async let sent: Void = BlockingThread.run { try send(count, to: writer) }
        try await BlockingThread.run { try receive(count, from: reader) }
        try await sent
        return ContinuousClock.now - start
    }

    private static func send(_ count: Int, to end: Int32) throws {
        let block = [UInt8](repeating: 0xA5, count: frame)
        var left = count
        while left > 0 {
            let sent = write(end, block, min(left, block.count))
            guard sent > 0 else { throw failure("written") }
            left -= sent
        }
    }

    private static func receive(_ count: Int, from end: Int32) throws {
        var block = [UInt8](repeating: 0, count: frame)
        var left = count
        while left > 0 {
            let got = read(end, &block, min(left, block.count))
            guard got > 0 else { throw failure("read") }
            left -= got
        }
    }

    private static func failure(_ doing: String) -> LinajeError {
        LinajeError(
            .unavailable, "a socket cannot be \(doing): \(String(cString: strerror(errno)))")
    }
}
