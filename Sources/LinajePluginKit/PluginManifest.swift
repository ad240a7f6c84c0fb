public import LinajeDomain

/// What stands in the `plugin.json` of a plugin's folder (docs/writing-a-flavor.md):
///
/// ```
/// {"name": "demo", "kind": "model flavor", "version": "0.1.0", "protocol": 1,
///  "executable": "linaje-demo-flavor",
///  "sha256": "…", "description": "…", "license": "…", "url": "…", "read": ["/opt/demo"],
///  "network": true}
/// ```
/// The second half may be left out. Other members are passed over, so that newer ones are no error.
public struct PluginManifest: Sendable, Hashable {
    /// The name of the file.
    public static let fileName = "plugin.json"
    /// The major version of the protocol that this side speaks.
    public static let protocolVersion: UInt64 = 1
    /// Longest manifest in bytes.
    public static let mostBytes = 64 << 10
    private static let mostPaths = 32

    public var descriptor: PluginDescriptor
    /// The major version of the protocol that the plugin speaks.
    public var protocolVersion: UInt64
    /// The name of the program, which stands beside the manifest.
    public var executable: String
    /// What the program's SHA-256 must be; `nil`: any.
    public var sha256: SHA256Digest?
    public var summary: String
    public var license: String
    public var url: String
    /// Absolute paths that the plugin may read besides its folder and the system's libraries.
    public var readable: [String]
    /// Whether the plugin may be a client of the internet; only an artifact backend may.
    public var network: Bool

    public init(
        descriptor: PluginDescriptor, protocolVersion: UInt64 = PluginManifest.protocolVersion,
        executable: String, sha256: SHA256Digest? = nil, summary: String = "",
        license: String = "", url: String = "", readable: [String] = [], network: Bool = false
    ) {
        self.descriptor = descriptor
        self.protocolVersion = protocolVersion
        self.executable = executable
        self.sha256 = sha256
        self.summary = summary
        self.license = license
        self.url = url
        self.readable = readable
        self.network = network
    }

    /// - Parameter path: what errors call it.
    /// - Throws: `invalidArgument` naming the file and the member.
    public init(parsing bytes: [UInt8], path: String) throws {
        var reader = JSONReader(bytes, name: path, depth: 8)
        var texts: [String: String] = [:]
        var version: UInt64?
        var readable: [String] = []
        var network = false
        try reader.object(limit: 100) { key, reader in
            switch key {
            case "name", "kind", "version", "executable", "sha256", "description", "license", "url":
                texts[key] = try reader.string()
            case "protocol": version = try reader.unsigned()
            case "read":
                try reader.array(limit: Self.mostPaths) { readable.append(try $0.string()) }
            case "network": network = try reader.bool()
            default: try reader.skip()
            }
        }
        try reader.finish()
        func invalid(_ what: String) -> LinajeError {
            LinajeError(.invalidArgument, "plugin manifest \(path): \(what)")
        }
        func text(_ key: String) throws -> String {
            guard let value = texts[key], !value.isEmpty else { throw invalid("has no \"\(key)\"") }
            return value
        }
        guard let kind = PluginDescriptor.Kind(rawValue: try text("kind")) else {
            throw invalid(
                "\"kind\" is \"\(try text("kind").prefix(40))\"; use \"model flavor\" or \"artifact backend\""
            )
        }
        let name = try text("name")
        guard Self.isName(name) else {
            throw invalid(
                "\"name\" is no name: use up to 64 lower-case letters, digits, \"-\", \"_\" and \".\", the "
                    + "first a letter")
        }
        guard let version else { throw invalid("has no \"protocol\"; this version speaks 1") }
        let executable = try text("executable")
        // By bytes: with an accent after it a slash is another character, and still a slash.
        guard !executable.utf8.contains(UInt8(ascii: "/")), executable != ".", executable != "..",
            !executable.utf8.contains(0)
        else { throw invalid("\"executable\" must be the name of a file beside the manifest") }
        for path in readable where !path.hasPrefix("/") || path == "/" || path.utf8.contains(0) {
            throw invalid("\"read\" must hold absolute paths, and not \"/\"")
        }
        guard !network || kind == .artifactBackend else {
            throw invalid("\"network\" is for artifact backends; a \(kind.rawValue) has none")
        }
        self.init(
            descriptor: PluginDescriptor(
                name: name, kind: kind, version: String(try text("version").prefix(80))),
            protocolVersion: version, executable: executable,
            sha256: try texts["sha256"].map {
                guard let digest = SHA256Digest(hex: $0) else {
                    throw invalid("\"sha256\" must be 64 hexadecimal digits")
                }
                return digest
            },
            summary: String((texts["description"] ?? "").prefix(1_000)),
            license: String((texts["license"] ?? "").prefix(200)),
            url: String((texts["url"] ?? "").prefix(1_000)), readable: readable,
            network: network)
    }

    /// Whether a text can name a plugin.
    public static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 64 else { return false }
        return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first)
            && text.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
                    || $0 == UInt8(ascii: ".")
            }
    }
}
