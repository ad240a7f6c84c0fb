import Glibc

/// Small files of the kernel (/proc, /sys).
package enum SmallFile {
    /// The first `limit` bytes; `nil` when it cannot be read.
    package static func read(_ path: String, limit: Int = 64 << 10) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: min(limit, 16 << 10))
        while bytes.count < limit {
            let got = Glibc.read(descriptor, &part, min(part.count, limit - bytes.count))
            if got < 0, errno == EINTR { continue }
            if got < 0 { return nil }
            if got == 0 { break }
            bytes += part[..<got]
        }
        return bytes
    }

    /// Reads a whole file of any size in pieces. Blocks.
    ///
    /// - Returns: false when it cannot be read to its end.
    package static func pieces(
        of path: String, _ take: (UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var part = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let got = Glibc.read(descriptor, &part, part.count)
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { return got == 0 }
            part.withUnsafeBytes { take(UnsafeRawBufferPointer(rebasing: $0[..<got])) }
        }
    }

    /// Its text without the line break at the end; empty when it cannot be read.
    package static func text(_ path: String) -> String {
        guard var bytes = read(path) else { return "" }
        while bytes.last == 0x0A { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Its lines; none when it cannot be read.
    package static func lines(_ path: String, limit: Int = 1 << 20) -> [Substring] {
        guard let bytes = read(path, limit: limit) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }

    /// The number after a word at the start of a line: "oom_kill 3".
    package static func counter(_ name: String, in path: String) -> UInt64? {
        for line in lines(path) {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == name { return UInt64(words[1]) }
        }
        return nil
    }
}
