import LinajeDomain

/// A key that may become a path: parts of lower-case letters, digits, "." and "-", joined by "/".
///
/// No part begins with "." and the first is not "tmp", so that no key leads outside or to a
/// temporary file.
struct StorageKey: Sendable, Hashable {
    /// Longest key in bytes.
    static let maximumBytes = 512
    /// Longest part in bytes: Linux allows no longer name.
    static let maximumPartBytes = 255
    /// The folder of objects on their way.
    static let temporaryFolder = "tmp"

    let text: String

    /// - Throws: `invalidArgument` for anything else.
    init(_ text: String) throws {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isValid =
            text.utf8.count <= StorageKey.maximumBytes
            && parts.allSatisfy { part in
                !part.isEmpty && part.count <= StorageKey.maximumPartBytes
                    && part.first != UInt8(ascii: ".")
                    && part.allSatisfy(StorageKey.isAllowed)
            }
            && !parts[0].elementsEqual(StorageKey.temporaryFolder.utf8)
        guard isValid else { throw StorageKey.invalid(text) }
        self.text = text
    }

    /// The folders above the object, outermost first: "packs", "packs/ab".
    var folders: [String] {
        var out: [String] = []
        for index in text.indices where text[index] == "/" { out.append(String(text[..<index])) }
        return out
    }

    /// - Throws: `invalidArgument` for a prefix that begins no key; the empty one begins them all.
    static func check(prefix: String) throws {
        guard !prefix.isEmpty else { return }
        _ = try StorageKey(prefix.hasSuffix("/") ? prefix + "x" : prefix)
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func invalid(_ text: String) -> LinajeError {
        LinajeError(
            .invalidArgument,
            "storage key \"\(text.prefix(80))\" is not allowed; use parts of a-z, 0-9, \".\" and "
                + "\"-\" joined by \"/\", none beginning with \".\", and not below tmp/")
    }
}
