/// How long a plugin's process may take, and how soon one that failed is started again.
public struct PluginProcessConfiguration: Sendable, Hashable {
    /// Longest request, when the caller does not say.
    public var deadline: Duration
    /// Longest start, until the process has said what it is.
    public var handshake: Duration
    /// Wait before the second start in a row that follows a failure; doubled each time. The first
    /// one is at once.
    public var firstBackOff: Duration
    /// Longest such wait.
    public var longestBackOff: Duration
    /// How long a process may have rested before it must answer a ping ahead of the next request.
    public var rest: Duration
    /// Longest answer to that ping.
    public var pong: Duration

    public init(
        deadline: Duration = .seconds(60), handshake: Duration = .seconds(30),
        firstBackOff: Duration = .milliseconds(100), longestBackOff: Duration = .seconds(30),
        rest: Duration = .seconds(1), pong: Duration = .seconds(10)
    ) {
        self.deadline = deadline
        self.handshake = handshake
        self.firstBackOff = firstBackOff
        self.longestBackOff = longestBackOff
        self.rest = rest
        self.pong = pong
    }

    /// The wait before the next start after `failures` failures in a row.
    func backOff(after failures: Int) -> Duration {
        guard failures > 1 else { return .zero }
        var wait = firstBackOff
        for _ in 2..<min(failures, 64) where wait < longestBackOff { wait *= 2 }
        return min(wait, longestBackOff)
    }
}
