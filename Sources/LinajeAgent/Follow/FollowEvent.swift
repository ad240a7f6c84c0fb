package import LinajeDomain
import Synchronization

/// What a follower tells of its work.
package enum FollowEvent: Sendable {
    /// A source streams into a run.
    case run(RunID, name: String, source: String)
    /// A part of a file is no measurement; it is passed over.
    case problem(path: String, offset: UInt64, reason: String)
    /// The rest of a file cannot be trusted and is not read.
    case damaged(path: String, offset: UInt64, reason: String)
    /// Another file has taken the place of the one that was followed.
    case rotated(path: String)
    /// The file was made shorter or written anew; it is read from its beginning.
    case rewritten(path: String)
    /// A file or directory cannot be followed now.
    case failed(source: String, LinajeError)
    /// The daemon does not answer; nothing is lost, the files are still there.
    case unreachable(String)
    /// It answers again.
    case reachable
}

/// What a follower has done since it began.
package struct FollowCounts: Sendable, Hashable {
    package var files = 0
    package var records = 0
    /// Points that were sent and are durable.
    package var points = 0
    /// Values that are no measurements.
    package var ignored = 0
    /// Records that were passed over.
    package var problems = 0
    /// Files whose rest cannot be trusted.
    package var damaged = 0
    /// Records at the end of files that are not written to their end.
    package var incomplete = 0

    package init() {}
}

/// Where a follower reports to.
package final class FollowReport: Sendable {
    private let handler: @Sendable (FollowEvent) -> Void
    private let state = Mutex(FollowCounts())

    package init(_ handler: @escaping @Sendable (FollowEvent) -> Void) { self.handler = handler }

    package var counts: FollowCounts { state.withLock { $0 } }

    func tell(_ event: FollowEvent) { handler(event) }

    func count(_ change: (inout FollowCounts) -> Void) { state.withLock { change(&$0) } }
}
