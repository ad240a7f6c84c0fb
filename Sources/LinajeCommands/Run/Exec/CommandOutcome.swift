import LinajeDomain
import LinajeHost

/// How a command ended, and what that means for its run.
struct CommandOutcome: Sendable {
    var status: RunStatus
    var cause: String
    var end: ProcessEnd
    var endedAt: Timestamp

    /// What `linaje run` ends with.
    var exitCode: Int32 { end.exitCode ?? end.signal.map { 128 + $0 } ?? 1 }

    /// - Parameters:
    ///   - evidence: what the memory counters say.
    ///   - stop: the signal that asked the command to stop, through us or from the terminal.
    init(_ end: ProcessEnd, _ evidence: MemoryWatch.Evidence, stop: Int32?, endedAt: Timestamp) {
        (self.end, cause) = MemoryWatch.explain(end, evidence)
        self.endedAt = endedAt
        if self.end.exitCode == 0 {
            status = .finished
        } else if let stop, self.end.reason != .outOfMemory {
            status = .killed
            cause = "stopped by \(SignalName.text(stop)): \(cause)"
        } else {
            status = .failed
        }
    }

    private init(notStarted reason: String) {
        status = .failed
        end = ProcessEnd(reason: .notStarted, source: .parent)
        cause = "\(end.cause): \(reason)"
        endedAt = SystemClock().now()
    }

    static func notStarted(because reason: String) -> CommandOutcome {
        CommandOutcome(notStarted: reason)
    }
}
