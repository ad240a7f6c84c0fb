/// What a database is looked after by.
public enum MaintenanceTask: String, Sendable, Hashable, CaseIterable {
    /// Packs the points that wait for it into sorted chunks.
    case compact
    /// Gives pages that nothing uses back to the file system.
    case vacuum
    /// Renews what the query planner knows of the tables.
    case analyze
    /// Moves the write-ahead log into the database file and empties it.
    case checkpoint
}

/// How far the daemon is with a task on one of its databases.
public struct MaintenanceProgress: Sendable, Hashable {
    /// "catalog" or "metrics".
    public var database: String
    public var task: MaintenanceTask
    /// Segments (`compact`), pages (`vacuum`, `checkpoint`) or tables (`analyze`) taken care of so
    /// far.
    public var done: UInt64
    /// How many are left, as far as is known.
    public var left: UInt64
    /// Bytes given back so far: to the file system, or by `compact` to the database.
    public var freed: ByteCount
    /// Whether this is the last word on this task and database.
    public var isFinished: Bool
    /// Why the task could not be done; `nil` while it goes well.
    public var failure: String?

    public init(
        database: String, task: MaintenanceTask, done: UInt64 = 0, left: UInt64 = 0,
        freed: ByteCount = ByteCount(0), isFinished: Bool = false, failure: String? = nil
    ) {
        self.database = database
        self.task = task
        self.done = done
        self.left = left
        self.freed = freed
        self.isFinished = isFinished
        self.failure = failure
    }
}
