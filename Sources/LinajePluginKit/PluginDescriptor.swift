/// What a plugin is.
public struct PluginDescriptor: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable {
        case artifactBackend = "artifact backend"
        case sqlBackend = "sql backend"
        case modelFlavor = "model flavor"
    }

    public var name: String
    public var kind: Kind
    public var version: String

    public init(name: String, kind: Kind, version: String) {
        self.name = name
        self.kind = kind
        self.version = version
    }
}
