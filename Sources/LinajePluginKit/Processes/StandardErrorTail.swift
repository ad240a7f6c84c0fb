import Glibc
import Synchronization

/// Reads a process's standard error to its end, so that it never blocks on it, and remembers the
/// last line.
final class StandardErrorTail: Sendable {
    /// Most bytes of a line that are kept.
    static let lineBytes = 400

    private struct Lines {
        var last: [UInt8] = []
        var current: [UInt8] = []

        mutating func take(_ bytes: ArraySlice<UInt8>) {
            for byte in bytes {
                if byte == UInt8(ascii: "\n") {
                    if !current.isEmpty { last = current }
                    current.removeAll(keepingCapacity: true)
                } else if current.count < StandardErrorTail.lineBytes {
                    current.append(byte < 0x20 || byte == 0x7f ? UInt8(ascii: " ") : byte)
                }
            }
        }
    }

    private let descriptor: Int32
    private let lines = Mutex(Lines())
    private let lane = BlockingLane()

    /// Takes over `descriptor`, a socket.
    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        _ = lane.post { self.drain() }
    }

    deinit { close(descriptor) }

    /// The last line that is not empty. Waits until everything written so far has been read; for
    /// a process that has ended.
    func finish() async -> String {
        shutdown(descriptor, Int32(SHUT_RD))
        try? await lane.run {}
        return lines.withLock { lines in
            String(decoding: lines.current.isEmpty ? lines.last : lines.current, as: UTF8.self)
        }
    }

    private func drain() {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let got = read(descriptor, &buffer, buffer.count)
            if got > 0 {
                lines.withLock { $0.take(buffer[..<got]) }
            } else if got == 0 || errno != EINTR {
                return
            }
        }
    }
}
