/// A line of a requirements.txt that names a package, and nothing else that pip would follow: a name
/// with extras, versions and conditions (PEP 508), in ASCII.
///
/// No address, path or option of pip, no name of an archive, which pip would take from the current
/// folder, and no character at which anybody might begin another line.
struct PlainRequirement: Equatable {
    /// The line without its comment.
    let text: String

    /// - Returns: `nil` for any other line.
    init?(_ line: String) {
        var bytes = Array(line.utf8)
        if let comment = bytes.indices.first(where: { place in
            bytes[place] == UInt8(ascii: "#") && (place == 0 || Self.isBlank(bytes[place - 1]))
        }) {
            bytes.removeSubrange(comment...)
        }
        while let last = bytes.last, Self.isBlank(last) { bytes.removeLast() }
        var rest = bytes[...]
        guard let name = Self.name(&rest) else { return nil }
        Self.skipBlanks(&rest)
        guard Self.skipExtras(&rest) else { return nil }
        Self.skipBlanks(&rest)
        guard Self.skipVersions(&rest) else { return nil }
        let whole = bytes[..<rest.startIndex]
        Self.skipBlanks(&rest)
        guard rest.isEmpty || rest.first == UInt8(ascii: ";"), Self.isCondition(rest.dropFirst()),
            !Self.isArchive(name), !Self.isArchive(whole)
        else { return nil }
        text = String(decoding: bytes, as: UTF8.self)
    }

    /// The name that a line begins with, plain or not, as names of packages are compared (PEP 503).
    static func name(of line: String) -> String {
        let name = line.utf8.prefix { isLetterOrDigit($0) || "._-".utf8.contains($0) }
        return String(decoding: name, as: UTF8.self).lowercased()
            .split { "._-".contains($0) }.joined(separator: "-")
    }

    private static func name(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let name = rest.prefix { isLetterOrDigit($0) || "._-".utf8.contains($0) }
        guard let first = name.first, let last = name.last, isLetterOrDigit(first),
            isLetterOrDigit(last)
        else { return nil }
        rest = rest[name.endIndex...]
        return name
    }

    /// [one, two]; nothing is right, too.
    private static func skipExtras(_ rest: inout ArraySlice<UInt8>) -> Bool {
        guard rest.first == UInt8(ascii: "[") else { return true }
        repeat {
            rest.removeFirst()
            skipBlanks(&rest)
            guard name(&rest) != nil else { return false }
            skipBlanks(&rest)
        } while rest.first == UInt8(ascii: ",")
        return rest.popFirst() == UInt8(ascii: "]")
    }

    /// ==1.0, <2; nothing is right, too.
    private static func skipVersions(_ rest: inout ArraySlice<UInt8>) -> Bool {
        guard let first = rest.first, "=<>!~".utf8.contains(first) else { return true }
        while true {
            let sign = rest.prefix { "=<>!~".utf8.contains($0) }
            guard signs.contains(String(decoding: sign, as: UTF8.self)) else { return false }
            rest = rest[sign.endIndex...]
            skipBlanks(&rest)
            let version = rest.prefix { isLetterOrDigit($0) || "._*+!-".utf8.contains($0) }
            guard let first = version.first, isLetterOrDigit(first) else { return false }
            rest = rest[version.endIndex...]
            var next = rest
            skipBlanks(&next)
            guard next.popFirst() == UInt8(ascii: ",") else { return true }
            skipBlanks(&next)
            rest = next
        }
    }

    private static let signs: Set<String> = ["==", "!=", "<=", ">=", "<", ">", "~=", "==="]

    /// python_version < "3.12" and the like: whether it is right is left to pip.
    private static func isCondition(_ bytes: ArraySlice<UInt8>) -> Bool {
        var quote: UInt8?
        var isAfterBlank = false
        for byte in bytes {
            // pip takes the first word that begins with a dash, and all after it, for options.
            if isAfterBlank, byte == UInt8(ascii: "-") { return false }
            isAfterBlank = isBlank(byte)
            if byte == quote {
                quote = nil
            } else if quote == nil, byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                quote = byte
            } else {
                let others = quote == nil ? "._<>=!~()" : "._+*!,-"
                guard isLetterOrDigit(byte) || isBlank(byte) || others.utf8.contains(byte) else {
                    return false
                }
            }
        }
        return quote == nil
    }

    /// Whether pip would look for a file of this name (pip, `utils/filetypes.py`).
    private static func isArchive(_ bytes: ArraySlice<UInt8>) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self).lowercased()
        let endings = [".whl", ".zip", ".tar", ".tgz", ".tbz", ".txz", ".tlz"]
        return text.contains(".tar.") || endings.contains { text.hasSuffix($0) }
    }

    private static func skipBlanks(_ rest: inout ArraySlice<UInt8>) {
        rest = rest.drop(while: isBlank)
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}
