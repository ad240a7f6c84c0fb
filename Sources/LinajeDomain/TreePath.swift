/// A path inside a tree: UTF-8 parts joined by "/", never absolute, never leading outside.
///
/// Such a path names an entry of a manifest. The server never makes a file system path of it.
public struct TreePath: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The path as text.
    public let text: String

    /// - Throws: `invalidPath` for an empty path, an empty, "." or ".." part, a leading or
    ///   trailing "/", a NUL, or more than `Limits.pathBytes` bytes.
    public init(_ text: String) throws {
        var shown: String { text.utf8.count > 80 ? "\(text.prefix(80))…" : text }
        guard !text.isEmpty else {
            throw LinajeError(.invalidPath, "path is empty; name a file")
        }
        guard text.utf8.count <= Limits.pathBytes else {
            throw LinajeError(
                .invalidPath,
                "path \"\(shown)\" has \(text.utf8.count) bytes; at most \(Limits.pathBytes) "
                    + "are allowed")
        }
        guard !text.utf8.contains(0) else {
            throw LinajeError(.invalidPath, "path holds a NUL byte; remove it")
        }
        guard text.utf8.first != UInt8(ascii: "/") else {
            throw LinajeError(
                .invalidPath, "path \"\(shown)\" is absolute; give it relative to the artifact")
        }
        guard Self.hasSoundParts(text) else {
            throw LinajeError(
                .invalidPath,
                "path \"\(shown)\" has an empty, \".\" or \"..\" part; write it without")
        }
        self.text = text
    }

    /// Whether no part is empty, "." or "..". Trees have a path for each file: this makes no copies.
    private static func hasSoundParts(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            var start = 0
            for end in 0...bytes.count
            where end == bytes.count || bytes[end] == UInt8(ascii: "/") {
                let part = bytes[start..<end]
                if part.isEmpty || part.count <= 2 && part.allSatisfy({ $0 == UInt8(ascii: ".") }) {
                    return false
                }
                start = end + 1
            }
            return true
        }
    }

    /// A path that may be empty, which stands for the root: `nil`.
    public static func orRoot(_ text: String) throws -> TreePath? {
        text.isEmpty ? nil : try TreePath(text)
    }

    /// The path of `other` below this one.
    public func appending(_ other: TreePath) throws -> TreePath {
        try TreePath(text + "/" + other.text)
    }

    /// The rest of this path below `folder`, or `nil` when it is not below it.
    public func relative(to folder: TreePath) -> String? {
        guard text.utf8.count > folder.text.utf8.count + 1,
            text.utf8.starts(with: (folder.text + "/").utf8)
        else { return nil }
        return String(text.utf8.dropFirst(folder.text.utf8.count + 1))
    }

    /// Order by bytes, as trees are written.
    public static func < (left: Self, right: Self) -> Bool {
        left.text.comparedBytes(with: right.text) < 0
    }

    /// Equal when the bytes are equal: Unicode equivalence would make two files one.
    public static func == (left: Self, right: Self) -> Bool {
        left.text.comparedBytes(with: right.text) == 0
    }

    public func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    public var description: String { text }
}

extension String {
    /// Below, at or above zero as these bytes come before the other's, are the same, or come after.
    fileprivate func comparedBytes(with other: String) -> Int {
        var (left, right) = (self, other)
        return left.withUTF8 { left in
            right.withUTF8 { right in
                let common = Swift.min(left.count, right.count)
                for index in 0..<common where left[index] != right[index] {
                    return Int(left[index]) - Int(right[index])
                }
                return left.count - right.count
            }
        }
    }
}
