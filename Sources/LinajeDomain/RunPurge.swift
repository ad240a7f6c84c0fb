/// Which runs are to be deleted for good.
public struct RunPurge: Sendable, Hashable {
    public enum Choice: Sendable, Hashable {
        /// These; `alsoActive`: also those that are not marked as deleted.
        case runs([RunID], alsoActive: Bool)
        /// All that have been marked as deleted for at least so long.
        case deletedFor(Duration)
    }

    public var choice: Choice
    /// Only say what would be done.
    public var isDryRun: Bool

    public init(_ choice: Choice, isDryRun: Bool = false) {
        self.choice = choice
        self.isDryRun = isDryRun
    }
}

/// What became of a run that was to be deleted for good, or would become of it.
public struct PurgedRun: Sendable, Hashable {
    public var id: RunID
    public var name: String
    public var experimentID: ExperimentID
    /// When it was marked as deleted; `nil`: it was not.
    public var deletedAt: Timestamp?
    /// Points that were deleted so far.
    public var points: UInt64 = 0
    /// Bytes of output in its log that were deleted so far.
    public var logBytes = ByteCount(0)
    /// Whether this is the last word on this run.
    public var isFinished = false
    /// Why it stays, or is not finished yet.
    public var failure: LinajeError?

    public init(
        id: RunID, name: String = "", experimentID: ExperimentID = 0, deletedAt: Timestamp? = nil
    ) {
        self.id = id
        self.name = name
        self.experimentID = experimentID
        self.deletedAt = deletedAt
    }
}
