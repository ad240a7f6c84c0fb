import LinajeDomain

/// Keys as `ArtifactBackend` describes them. Parts that are empty or begin with "." are refused:
/// proxies on the way make other paths of them.
enum ObjectKey {
    /// Longest key in bytes; with the longest prefix it stays below S3's 1,024.
    static let maximumBytes = 512

    /// - Throws: `invalidArgument` for what is no key.
    static func check(_ key: String) throws {
        guard isValid(key) else { throw invalid(key) }
    }

    /// - Throws: `invalidArgument` for a prefix that begins no key; the empty one begins them all.
    static func check(prefix: String) throws {
        guard prefix.isEmpty || isValid(prefix.hasSuffix("/") ? prefix + "x" : prefix) else {
            throw invalid(prefix)
        }
    }

    static func isValid(_ key: String) -> Bool {
        key.utf8.count <= maximumBytes
            && key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
                .allSatisfy { part in
                    !part.isEmpty && part.first != UInt8(ascii: ".") && part.allSatisfy(isAllowed)
                }
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
                + "\"-\" joined by \"/\", none beginning with \".\"")
    }
}
