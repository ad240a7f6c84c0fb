import LinajeClient
import LinajeDomain

/// What `linaje top` shows: lines of text that fit the terminal, from readings alone.
struct TopScreen {
    /// A piece of a line, in one style.
    struct Span {
        enum Kind {
            case plain, bold, dim, good, bad
        }

        var text: String
        var kind = Kind.plain

        init(_ text: String, _ kind: Kind = .plain) {
            self.text = printable(text)
            self.kind = kind
        }
    }

    var history: TopHistory
    /// The socket, as it was found.
    var socket: String
    /// What hinders the next reading; `nil` while the daemon answers.
    var trouble: String?
    var interval: Duration

    /// Lines for a terminal of that size; none is longer than `width`, and there are not more than
    /// `height`.
    func lines(width: Int, height: Int, _ style: TextStyle) -> [String] {
        guard let reading = history.readings.last else { return [] }
        return ([header(reading), []] + body(reading, width: width) + notes(reading))
            .prefix(max(0, height)).map { Self.fitted($0, width: width, style) }
    }

    private func header(_ reading: TopReading) -> [Span] {
        let status = reading.status
        let up = max(0, reading.at.microseconds - status.startedAt.microseconds)
        return [
            Span("linaje top", .bold),
            Span(
                "  linajed/\(status.version), process \(status.pid), up "
                    + "\(Rendering.duration(.microseconds(up))), \(socket), every "
                    + "\(Rendering.duration(interval)), q quits", .dim),
        ]
    }

    private func body(_ reading: TopReading, width: Int) -> [[Span]] {
        let status = reading.status
        let room = min(TopHistory.capacity, width - Self.nameWidth - Self.figureWidth)
        let line = Sparkline.text(history.readings.map(\.pointsPerSecond), width: room)
        return [
            [name("points/s"), figure(Self.rate(reading.pointsPerSecond)), Span(line, .good)],
            [
                name("commits/s"), figure(Self.rate(reading.commitsPerSecond)),
                Span(Self.percentiles(reading.latency)),
            ],
            [
                name("queue"), figure("\(status.queued)"),
                Span("of \(status.queueLimit)", isNearlyFull(status) ? .bad : .plain),
            ],
            [
                name("connections"), figure(Rendering.grouped(status.connections)),
                Span("\(Rendering.grouped(status.refusedConnections)) refused, "),
                Span(
                    "\(Rendering.grouped(status.cutConnections)) cut",
                    status.cutConnections > 0 ? .bad : .plain),
            ],
            [
                name("calls/s"), figure(Self.rate(reading.callsPerSecond)),
                Span(
                    "\(Self.rate(reading.failedCallsPerSecond)) failed",
                    reading.failedCallsPerSecond > 0 ? .bad : .plain),
                Span(
                    ", \(Rendering.grouped(status.failedCalls)) of "
                        + "\(Rendering.grouped(status.calls)) since the start"),
            ],
            [
                name("traffic"), figure(Self.bytes(reading.receivedPerSecond) + "/s in"),
                Span(Self.bytes(reading.sentPerSecond) + "/s out"),
            ],
            [
                name("daemon"), figure(Rendering.decimal(reading.processors * 100, 0) + " % cpu"),
                Span(
                    "\(status.resident) memory, \(Rendering.grouped(status.openFiles)) of "
                        + "\(Rendering.grouped(status.openFilesLimit)) files"),
            ],
            [name("disk"), figure("\(status.free) free"), disk(status)],
            [
                name("artifacts"), figure("\(status.stored)"),
                Span(
                    "\(Rendering.grouped(status.chunks)) chunks of \(status.content), "
                        + "\(Self.bytes(reading.storedPerSecond))/s stored"),
            ],
            [
                name("runs"), figure("\(Rendering.grouped(status.watchedRuns)) watched"),
                Span(
                    "\(Rendering.grouped(status.stalledRuns)) stalled",
                    status.stalledRuns > 0 ? .bad : .plain),
            ],
            [name("plugins")] + plugins(status),
        ]
    }

    private func disk(_ status: DaemonStatus) -> Span {
        let full = history.timeUntilFull.map { ", full in \(Rendering.duration($0))" } ?? ""
        let isScarce = status.free.bytes < status.total.bytes / 20
        let isSoon = history.timeUntilFull.map { $0 < .seconds(3_600) } ?? false
        return Span("of \(status.total)\(full)", isScarce || isSoon ? .bad : .plain)
    }

    private func plugins(_ status: DaemonStatus) -> [Span] {
        status.plugins.enumerated().flatMap { index, plugin in
            let title = plugin.title
            return [
                Span(index == 0 ? "" : ", "),
                plugin.failure.map { Span("\(title): \($0)", .bad) } ?? Span(title),
            ]
        }
    }

    /// What is wrong, or was.
    private func notes(_ reading: TopReading) -> [[Span]] {
        var lines: [[Span]] = []
        if let failure = reading.status.failure { lines.append([Span("failed: \(failure)", .bad)]) }
        if let restartedAt = history.restartedAt {
            lines.append([Span("daemon was restarted, seen \(Rendering.shortTime(restartedAt))")])
        }
        if let trouble { lines.append([Span(trouble, .bad)]) }
        return lines.isEmpty ? [] : [[]] + lines
    }

    private func isNearlyFull(_ status: DaemonStatus) -> Bool {
        status.queueLimit.bytes > 0 && status.queued.bytes > status.queueLimit.bytes / 10 * 9
    }

    // MARK: Text

    private static let nameWidth = 13
    private static let figureWidth = 16

    private func name(_ text: String) -> Span { Span(Self.padded(text, Self.nameWidth), .bold) }

    private func figure(_ text: String) -> Span { Span(Self.padded(text, Self.figureWidth)) }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    /// "1,234", "0.5" below ten.
    static func rate(_ value: Double) -> String {
        guard value < 1e15 else { return Rendering.number(value) }
        return value > 0 && value < 10
            ? Rendering.decimal(value, 1) : Rendering.grouped(Int64(value.rounded()))
    }

    private static func bytes(_ value: Double) -> String {
        ByteCount(UInt64(exactly: max(0, value).rounded()) ?? .max).description
    }

    private static func percentiles(_ latency: LatencyHistogram) -> String {
        guard latency.count > 0 else { return "no commits" }
        return [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)].map { name, share in
            "\(name) \(latency.percentile(share).map(Rendering.latency) ?? "")"
        }.joined(separator: "  ")
    }

    /// The spans in a line, cut at the width.
    private static func fitted(_ spans: [Span], width: Int, _ style: TextStyle) -> String {
        var left = max(0, width)
        var out = ""
        for span in spans {
            let text = String(span.text.prefix(left))
            left -= text.count
            guard !text.isEmpty else { continue }
            switch span.kind {
            case .plain: out += text
            case .bold: out += style.bold(text)
            case .dim: out += style.dim(text)
            case .good: out += style.good(text)
            case .bad: out += style.bad(text)
            }
        }
        return out
    }
}
