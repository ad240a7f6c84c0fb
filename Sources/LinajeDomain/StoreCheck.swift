/// How thoroughly a store is looked at, and what is done about what is found.
public struct CheckOptions: Sendable, Hashable {
    /// Read every byte, rather than what says what there is.
    public var readsData: Bool
    /// Put right what can be.
    public var repairs: Bool
    /// Make the index anew from the packs first.
    public var rebuildsIndex: Bool
    /// Bytes that are read a second, at most; `nil`: as many as the disk gives.
    public var bytesPerSecond: Int?

    public init(
        readsData: Bool = false, repairs: Bool = false, rebuildsIndex: Bool = false,
        bytesPerSecond: Int? = nil
    ) {
        self.readsData = readsData
        self.repairs = repairs
        self.rebuildsIndex = rebuildsIndex
        self.bytesPerSecond = bytesPerSecond
    }
}

/// How far a check is.
public struct CheckSum: Sendable, Hashable {
    /// Packs looked at, and all there are.
    public var packs: UInt64 = 0
    public var totalPacks: UInt64 = 0
    /// Bytes of packs looked through, and of all there are.
    public var bytes: UInt64 = 0
    public var totalBytes: UInt64 = 0
    /// Blobs whose content was read and is right.
    public var blobs: UInt64 = 0
    /// Trees and files that are needed, looked at.
    public var roots: UInt64 = 0
    /// What was found, and what of it is put right.
    public var findings: UInt64 = 0
    public var repaired: UInt64 = 0
    /// What it waits for before it goes on: "a backup that began at …"; empty: nothing.
    public var waitingFor = ""
    /// Whether this is the last word.
    public var isFinished = false

    public init() {}
}

/// Something that is not as it should be.
public struct CheckFinding: Sendable, Hashable {
    /// "packs/ab/abcd….pack", "tree 0a…".
    public var object: String
    /// What is wrong with it.
    public var finding: String
    /// What was done about it; empty: nothing.
    public var repair: String
    /// Whether it is right again.
    public var isRepaired: Bool
    /// The tree that is not whole, if it is one.
    public var tree: SHA256Digest?
    /// What needs that tree, for people.
    public var affected: [String] = []

    public init(
        object: String, finding: String, repair: String = "", isRepaired: Bool = false,
        tree: SHA256Digest? = nil
    ) {
        self.object = object
        self.finding = finding
        self.repair = repair
        self.isRepaired = isRepaired
        self.tree = tree
    }
}

/// What a check tells while it works.
public enum CheckNews: Sendable, Hashable {
    case progress(CheckSum)
    case finding(CheckFinding)
}
