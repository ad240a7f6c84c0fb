import Dispatch
import Glibc
import LinajeDomain

/// Standard input, read on a thread of its own so that waiting for it holds nothing else up.
struct StandardInput {
    private static let queue = DispatchQueue(label: "linaje.standard-input")

    /// What has arrived, at most 64 KiB; `nil` at the end.
    func next() async throws -> [UInt8]? {
        try await withCheckedThrowingContinuation { continuation in
            Self.queue.async {
                var bytes = [UInt8](repeating: 0, count: 64 << 10)
                var count = read(STDIN_FILENO, &bytes, bytes.count)
                while count < 0, errno == EINTR { count = read(STDIN_FILENO, &bytes, bytes.count) }
                if count < 0 {
                    let reason = String(cString: strerror(errno))
                    continuation.resume(
                        throwing: LinajeError(
                            .failedPrecondition, "standard input cannot be read: \(reason)"))
                } else {
                    continuation.resume(returning: count == 0 ? nil : Array(bytes[..<count]))
                }
            }
        }
    }
}

/// Cuts bytes into lines.
struct LineSplitter {
    /// Longest line that is taken.
    static let lineBytes = 1 << 20
    private var rest: [UInt8] = []

    /// The lines that are whole now.
    ///
    /// - Throws: `limitExceeded` for a line longer than `lineBytes`.
    mutating func take(_ bytes: [UInt8]) throws -> [ArraySlice<UInt8>] {
        rest += bytes
        var lines: [ArraySlice<UInt8>] = []
        var start = rest.startIndex
        while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(rest[start..<end])
            start = end + 1
        }
        rest = Array(rest[start...])
        guard rest.count <= Self.lineBytes else {
            throw LinajeError(
                .limitExceeded, "line is longer than \(Self.lineBytes) bytes; break it up")
        }
        return lines
    }

    /// What stands after the last line break.
    mutating func finish() -> [UInt8] {
        defer { rest = [] }
        return rest
    }
}
