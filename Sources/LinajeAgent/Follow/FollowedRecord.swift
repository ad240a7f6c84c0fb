/// A measurement as a followed file has it.
package struct FollowedPoint: Sendable, Equatable {
    package var key: String
    package var step: Int64
    /// Microseconds since 1970 UTC; `nil`: when it was read.
    package var time: Int64?
    package var value: Double

    package init(key: String, step: Int64, time: Int64?, value: Double) {
        self.key = key
        self.step = step
        self.time = time
        self.value = value
    }
}

/// What one record of a file means: its measurements, and how much else it holds.
package struct FollowedRecord: Sendable, Equatable {
    package var points: [FollowedPoint] = []
    /// Values that are no measurements.
    package var ignored = 0
    /// What is wrong with it, for people; its points are then empty.
    package var problem: String?

    package init(points: [FollowedPoint] = [], ignored: Int = 0, problem: String? = nil) {
        self.points = points
        self.ignored = ignored
        self.problem = problem
    }

    /// How many numbered batches it makes.
    package var batches: Int {
        (points.count + AgentLimits.pointsPerBatch - 1) / AgentLimits.pointsPerBatch
    }
}

/// What the front of a file's unread bytes is.
package enum RecordCut: Sendable, Equatable {
    /// The beginning of a record that has not been written to its end, or nothing. At least this
    /// many bytes are needed to know more.
    case incomplete(needs: Int)
    /// A record of this many bytes.
    case record(bytes: Int, FollowedRecord)
    /// A record of this many bytes that is too long to be looked into.
    case tooLong(bytes: UInt64)
    /// No record: what follows cannot be trusted either.
    case damaged(String)
}

/// Cuts a file into records. Which records a file has, and which points are in each, is a function
/// of its bytes alone, for ever: the number of a record's batch is its place in the file (decision
/// 0035). A grammar whose function changes is another grammar, with another `name`.
package protocol RecordGrammar: Sendable {
    /// Names the function; a part of the identity of writers.
    static var name: String { get }

    /// Looks at the front of `bytes`, which begin where the last record ended.
    mutating func cut(_ bytes: ArraySlice<UInt8>) -> RecordCut
}
