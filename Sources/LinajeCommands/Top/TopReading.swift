import LinajeClient
import LinajeDomain

/// How the daemon is and how fast it works: two states of it, a moment apart.
struct TopReading {
    let status: DaemonStatus
    /// When it was read.
    let at: Timestamp
    /// Whether the daemon was started anew since the reading before.
    let isRestart: Bool
    /// The time that the rates are about.
    let elapsed: Duration
    /// Commits of that time.
    let latency: LatencyHistogram
    let pointsPerSecond: Double
    let commitsPerSecond: Double
    let callsPerSecond: Double
    let failedCallsPerSecond: Double
    let receivedPerSecond: Double
    let sentPerSecond: Double
    let storedPerSecond: Double
    /// Processors in use: 1 is one whole processor.
    let processors: Double

    /// - Parameters:
    ///   - earlier: the state before; `nil` for the first: rates are then since the daemon's start.
    ///   - elapsed: the time between the two, by a clock that nobody sets.
    init(_ status: DaemonStatus, at: Timestamp, after earlier: DaemonStatus?, elapsed: Duration) {
        self.status = status
        self.at = at
        let isSame =
            earlier.map { $0.pid == status.pid && $0.startedAt == status.startedAt } ?? false
        isRestart = earlier != nil && !isSame
        // A daemon that was started anew counts from zero, since its own start.
        let before = isSame ? earlier : nil
        let up = Duration.microseconds(
            max(0, at.microseconds.subtractingReportingOverflow(status.startedAt.microseconds).0))
        let time = before == nil ? up : elapsed
        let seconds = max(time / .seconds(1), 0.001)
        func rate(_ figure: (DaemonStatus) -> UInt64) -> Double {
            let (now, then) = (figure(status), before.map(figure) ?? 0)
            return Double(now - min(now, then)) / seconds
        }
        self.elapsed = time
        latency =
            before.map { status.commitLatency.since($0.commitLatency) } ?? status.commitLatency
        pointsPerSecond = rate(\.points)
        commitsPerSecond = rate(\.commits)
        callsPerSecond = rate(\.calls)
        failedCallsPerSecond = rate(\.failedCalls)
        receivedPerSecond = rate(\.received.bytes)
        sentPerSecond = rate(\.sent.bytes)
        // What was stored before a restart was not stored in this time.
        storedPerSecond = before == nil ? 0 : rate(\.stored.bytes)
        let used = status.processor - (before?.processor ?? .zero)
        processors = max(0, used / .seconds(1)) / seconds
    }
}

/// The readings of the last minutes, oldest first.
struct TopHistory {
    /// As many as a wide terminal has columns.
    static let capacity = 300

    private(set) var readings: [TopReading] = []
    /// When the daemon was seen to have been started anew.
    private(set) var restartedAt: Timestamp?

    mutating func add(_ reading: TopReading) {
        if reading.isRestart { restartedAt = reading.at }
        readings.append(reading)
        if readings.count > Self.capacity { readings.removeFirst() }
    }

    /// When the disk is full if it goes on as in the readings: `nil` before ten seconds of them,
    /// or while it gets emptier.
    var timeUntilFull: Duration? {
        guard let first = readings.first, let last = readings.last else { return nil }
        let seconds = Double(last.at.microseconds - first.at.microseconds) / 1e6
        let used = Double(first.status.free.bytes) - Double(last.status.free.bytes)
        guard seconds >= 10, used > 0 else { return nil }
        let left = Double(last.status.free.bytes) / (used / seconds)
        return left < 1e9 ? .seconds(left) : nil
    }
}
