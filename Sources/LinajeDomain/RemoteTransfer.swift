/// What is done with a remote: a store of packs beside the daemon's own.
public enum RemoteAction: String, Sendable, Hashable, CaseIterable {
    /// Say what either side lacks.
    case status
    /// Bring the remote what it lacks.
    case push
    /// Bring the daemon what it lacks.
    case pull
}

/// A store of packs that artifacts are pushed to and pulled from.
public struct Remote: Sendable, Hashable {
    public var name: String
    /// "s3://bucket/prefix/?region=…".
    public var address: String
    /// Whether it stands in the daemon's configuration and nowhere else.
    public var isConfigured: Bool

    public init(name: String, address: String, isConfigured: Bool) {
        self.name = name
        self.address = address
        self.isConfigured = isConfigured
    }
}

/// A number of packs, and their bytes.
public struct PackSum: Sendable, Hashable {
    public var packs: UInt64
    public var size: ByteCount

    public init(packs: UInt64 = 0, size: ByteCount = ByteCount(0)) {
        self.packs = packs
        self.size = size
    }

    /// Adds a pack.
    public mutating func add(_ bytes: UInt64) {
        packs += 1
        size = ByteCount(size.bytes &+ bytes)
    }
}

/// How far a comparison or a transfer is; the last one says that it is.
public struct RemoteProgress: Sendable, Hashable {
    /// Packs that both have.
    public var common = PackSum()
    /// Packs that the remote lacks, by content: none of another name holds what is in them.
    public var missingThere = PackSum()
    /// Packs that the daemon lacks.
    public var missingHere = PackSum()
    /// What has been copied so far.
    public var copied = PackSum()
    /// The pack at hand, or that a finding is about: its key.
    public var pack: String = ""
    /// What is wrong with that pack; `nil` while it goes well. The others go on.
    public var finding: String?
    public var isFinished = false

    public init() {}
}
