/// A plugin of a daemon, as `linaje plugin` shows it.
public struct PluginReport: Sendable, Hashable {
    /// What it is called, among plugins of its kind.
    public var name: String
    /// "model flavor", "artifact backend" or "sql backend"; empty when its manifest cannot be read.
    public var kind: String
    public var version: String
    public var summary: String
    public var license: String
    public var url: String
    /// Its folder; empty for one in the box.
    public var folder: String
    /// The SHA-256 of its program; `nil` in the box, and when it cannot be read.
    public var digest: SHA256Digest?
    /// Whether its manifest says what that digest must be.
    public var isPinned: Bool
    /// What it may read besides its folder and the system's libraries.
    public var readable: [String]
    public var isEnabled: Bool
    /// Who disabled it and when; empty while it is enabled.
    public var disabledBy: String
    public var disabledAt: Timestamp?
    /// Why it cannot be used, or empty.
    public var problem: String
    /// The flavors it answers for, once it has said so.
    public var flavors: [String]
    /// Models that it was asked about since the start of the daemon, and how often it failed.
    public var calls: UInt64
    public var failures: UInt64
    public var lastFailure: String
    /// Processes of it that run.
    public var processes: Int

    public init(
        name: String, kind: String, version: String, summary: String = "", license: String = "",
        url: String = "", folder: String = "", digest: SHA256Digest? = nil, isPinned: Bool = false,
        readable: [String] = [], isEnabled: Bool = true, disabledBy: String = "",
        disabledAt: Timestamp? = nil, problem: String = "", flavors: [String] = [],
        calls: UInt64 = 0, failures: UInt64 = 0, lastFailure: String = "", processes: Int = 0
    ) {
        self.name = name
        self.kind = kind
        self.version = version
        self.summary = summary
        self.license = license
        self.url = url
        self.folder = folder
        self.digest = digest
        self.isPinned = isPinned
        self.readable = readable
        self.isEnabled = isEnabled
        self.disabledBy = disabledBy
        self.disabledAt = disabledAt
        self.problem = problem
        self.flavors = flavors
        self.calls = calls
        self.failures = failures
        self.lastFailure = lastFailure
        self.processes = processes
    }
}

/// A plugin that an admin has disabled.
public struct DisabledPlugin: Sendable, Hashable {
    public var kind: String
    public var name: String
    public var principal: String
    public var at: Timestamp

    public init(kind: String, name: String, principal: String, at: Timestamp) {
        self.kind = kind
        self.name = name
        self.principal = principal
        self.at = at
    }
}
