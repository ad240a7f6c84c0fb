/// How the last collection, scrub or check went.
public struct UpkeepRecord: Sendable, Hashable {
    /// "collection", "scrub", "check", "retention", or "backup" while one is open.
    public var task: String
    public var begunAt: Timestamp
    /// `nil`: it goes on, or was interrupted.
    public var endedAt: Timestamp?
    /// Bytes read (scrub, check, backup) or freed (collection), and of how many.
    public var bytes: UInt64
    public var totalBytes: UInt64
    public var findings: UInt64
    /// What came of it, for people.
    public var message: String
    /// Where it goes on.
    public var place: String

    public init(
        task: String, begunAt: Timestamp, endedAt: Timestamp? = nil, bytes: UInt64 = 0,
        totalBytes: UInt64 = 0, findings: UInt64 = 0, message: String = "", place: String = ""
    ) {
        self.task = task
        self.begunAt = begunAt
        self.endedAt = endedAt
        self.bytes = bytes
        self.totalBytes = totalBytes
        self.findings = findings
        self.message = message
        self.place = place
    }
}
