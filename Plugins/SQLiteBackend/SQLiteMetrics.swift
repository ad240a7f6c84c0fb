import Metrics

/// What a database counts about itself (docs/telemetry.md), by its name: "metrics" for
/// `…/metrics.db`.
struct SQLiteMetrics: Sendable {
    private let commit: Timer
    private let checkpoint: Timer
    private let readWait: Timer
    private let logFrames: Meter

    init(path: String) {
        let file = path.split(separator: "/").last ?? ""
        let name = file.hasSuffix(".db") ? file.dropLast(3) : file
        let labels = [("database", String(name))]
        commit = Timer(label: "linaje_sqlite_commit_seconds", dimensions: labels)
        checkpoint = Timer(label: "linaje_sqlite_checkpoint_seconds", dimensions: labels)
        readWait = Timer(label: "linaje_sqlite_read_wait_seconds", dimensions: labels)
        logFrames = Meter(label: "linaje_sqlite_wal_frames", dimensions: labels)
    }

    func committed(since start: ContinuousClock.Instant) { Self.record(start, commit) }

    func checkpointed(since start: ContinuousClock.Instant) { Self.record(start, checkpoint) }

    /// A read has got its connection.
    func readBegins(since start: ContinuousClock.Instant) { Self.record(start, readWait) }

    func logHas(frames: Int) { logFrames.set(frames) }

    private static func record(_ start: ContinuousClock.Instant, _ timer: Timer) {
        timer.record(duration: start.duration(to: .now))
    }
}
