import LinajeDomain
import LinajeHost
import LinajeMetrics
import LinajeServer
import ServiceLifecycle
import Synchronization

/// The one line that `systemctl status` shows: numbers, and what is wrong.
final class StatusLine: Sendable {
    private struct State {
        var note: String?
        var points: UInt64 = 0
        var since = ContinuousClock.now
    }

    private let metrics: MetricStore
    private let connections: ConnectionCount
    private let queueBytes: Int
    private let state = Mutex(State())

    /// - Parameter queueBytes: what the metric queue holds at most.
    init(metrics: MetricStore, connections: ConnectionCount, queueBytes: Int) {
        self.metrics = metrics
        self.connections = connections
        self.queueBytes = queueBytes
    }

    /// Keeps a trouble in the line until it is `nil` again.
    func note(_ text: String?) { state.withLock { $0.note = text } }

    /// The line, with the points a second since it was last asked for.
    func next() -> String {
        let statistics = metrics.statistics
        let (rate, note) = state.withLock { state in
            let now = ContinuousClock.now
            let seconds = max(0.001, state.since.duration(to: now) / .seconds(1))
            let new = statistics.points >= state.points ? statistics.points - state.points : 0
            (state.points, state.since) = (statistics.points, now)
            return (Int((Double(new) / seconds).rounded()), state.note)
        }
        var parts = ["\(connections.current) connections", "\(rate) points/s"]
        parts.append(
            "\(Self.mebibytes(statistics.queuedBytes)) of \(Self.mebibytes(queueBytes)) MiB queued")
        if let failure = statistics.failure {
            parts.insert("refusing changes: \(failure.message)", at: 0)
        }
        if let note { parts.append(note) }
        return parts.joined(separator: "; ")
    }

    /// With one digit after the point.
    private static func mebibytes(_ bytes: Int) -> String {
        let tenths = bytes / (1 << 20) * 10 + bytes % (1 << 20) * 10 / (1 << 20)
        return "\(tenths / 10).\(tenths % 10)"
    }
}

/// Keeps the status line of systemd up to date.
struct StatusReport: Service {
    let line: StatusLine
    let notification: ServiceNotification
    /// The first line comes soon: after a restart somebody looks.
    private static let first = Duration.seconds(1)
    private static let pace = Duration.seconds(5)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var (last, pause) = ("", Self.first)
            while (try? await Task.sleep(for: pause)) != nil {
                let text = line.next()
                if text != last { notification.status(text) }
                (last, pause) = (text, Self.pace)
            }
        }
    }
}
