/// Where a remote is: "s3://BUCKET/PREFIX/?region=…", "plugin:NAME/PLACE?…" of a storage plugin, or
/// "file:///FOLDER".
///
/// It names no credentials: whoever opens it finds them where it runs.
public struct RemoteAddress: Sendable, Hashable, CustomStringConvertible {
    public enum Scheme: String, Sendable, Hashable { case s3, file, plugin }

    /// Longest address in bytes.
    public static let maximumBytes = 1_024
    /// What may be asked of an S3 remote.
    private static let s3Options: Set = [
        "region", "endpoint", "addressing", "profile", "conditional_writes", "checksums",
    ]

    public let scheme: Scheme
    /// The bucket, or the name of the plugin; "" of a folder.
    public let bucket: String
    /// What all names begin with, "" or ending with "/"; of a folder, its absolute path; of a plugin,
    /// what it alone understands.
    public let path: String
    public let options: [String: String]
    /// As it was given.
    public let description: String

    /// - Throws: `invalidArgument` for what is no such address. Whether the bucket and its options
    ///   are possible is for whoever opens it to say.
    public init(parsing text: String) throws {
        guard text.utf8.count <= Self.maximumBytes,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { throw Self.invalid(text, "it has spaces or is too long") }
        description = text
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let place = parts[0]
        if place.hasPrefix("file://") {
            let folder = place.dropFirst("file://".count)
            guard folder.hasPrefix("/"), !folder.contains("/../"), !folder.hasSuffix("/.."),
                parts.count == 1
            else { throw Self.invalid(text, "a folder is file:///PATH") }
            (scheme, bucket, path, options) = (.file, "", String(folder), [:])
            return
        }
        if place.hasPrefix("plugin:") {
            let names = place.dropFirst("plugin:".count)
                .split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard !names[0].isEmpty, names.count == 2 else {
                throw Self.invalid(text, "a storage plugin's is plugin:NAME/PLACE")
            }
            guard !names[1].prefix(while: { $0 != "@" }).contains(":") || !names[1].contains("@")
            else { throw Self.invalid(text, "it names credentials, which do not belong here") }
            scheme = .plugin
            (bucket, path) = (String(names[0]), String(names[1]))
            options = try Self.options(parts.count > 1 ? parts[1] : "", of: text, known: nil)
            return
        }
        guard place.hasPrefix("s3://") else {
            throw Self.invalid(text, "it begins with none of s3://, plugin: and file://")
        }
        let names = place.dropFirst("s3://".count)
            .split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard !names[0].isEmpty, !names[0].contains("@") else {
            throw Self.invalid(text, "it names no bucket, or credentials, which do not belong here")
        }
        var prefix = names.count > 1 ? String(names[1]) : ""
        if !prefix.isEmpty, !prefix.hasSuffix("/") { prefix += "/" }
        scheme = .s3
        bucket = String(names[0])
        path = prefix
        options = try Self.options(
            parts.count > 1 ? parts[1] : "", of: text, known: Self.s3Options)
    }

    /// - Parameter known: names that there are; `nil`: whoever opens the remote knows.
    private static func options(
        _ query: Substring, of text: String, known: Set<String>?
    ) throws -> [String: String] {
        var out: [String: String] = [:]
        for pair in query.split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(sides[0])
            if let known, !known.contains(name) {
                let known = known.sorted().joined(separator: ", ")
                throw invalid(text, "\"\(name.prefix(40))\" is none of \(known)")
            }
            guard sides.count == 2, !sides[1].isEmpty, out[name] == nil else {
                throw invalid(text, "\"\(name)\" has no value or two")
            }
            out[name] = String(sides[1])
        }
        return out
    }

    /// The error shows nothing that may be a secret: no user and password, no values of options.
    private static func invalid(_ text: String, _ reason: String) -> LinajeError {
        let place = text.prefix { $0 != "?" }
        let shown = place.lastIndex(of: "@").map { "…" + place[$0...] } ?? String(place)
        return LinajeError(
            .invalidArgument,
            "\"\(shown.prefix(200))\" is no address of a remote: \(reason); use "
                + "s3://BUCKET/PREFIX/?region=REGION")
    }
}

extension Names {
    /// A name of a remote: 1 to 64 letters, digits, "-", "_" and ".", beginning with none of the
    /// last three.
    public static func remote(_ text: String) throws -> String {
        let isValid =
            (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                    UInt8(ascii: "."):
                    true
                default: false
                }
            } && text.first != "-" && text.first != "_" && text.first != "."
        guard isValid else {
            throw LinajeError(
                .invalidArgument,
                "\"\(text.prefix(80))\" is no name of a remote; use 1 to 64 letters, digits, "
                    + "\"-\", \"_\" and \".\"")
        }
        return text
    }
}
