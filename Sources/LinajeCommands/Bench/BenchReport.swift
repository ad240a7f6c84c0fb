import LinajeDomain

/// What a bench found.
struct BenchReport {
    let agents: Int
    let batch: Int
    let points: Int
    let seed: UInt64
    /// From the first point to the last acknowledgement.
    var elapsed = Duration.zero
    var sync: Latencies?
    var verified = false
    /// Of the disk alone, by --gate.
    var fdatasync: Latencies?
    var sqlitePointsPerSecond: Double?
    var daemonResident: ByteCount?
    private var daemonPeak: ByteCount?
    private var daemonProcessor: Duration?

    /// A durable point may take at most this many times a bare fdatasync.
    static let syncFactor = 5.0
    /// Batched points must reach this share of a bare SQLite program.
    static let batchShare = 0.4

    init(agents: Int, batch: Int, points: Int, seed: UInt64) {
        self.agents = agents
        self.batch = batch
        self.points = points
        self.seed = seed
    }

    mutating func usage(_ before: DaemonUsage?, _ after: DaemonUsage?) {
        daemonPeak = after?.peak
        guard let before, let after else { return }
        daemonProcessor = after.processor - before.processor
    }

    private var seconds: Double { elapsed / .seconds(1) }
    private var pointsPerSecond: Double { Double(points) / max(seconds, 1e-9) }
    private var frames: Int {
        let (each, extra) = points.quotientAndRemainder(dividingBy: agents)
        let few = (each + batch - 1) / batch
        let many = (each + 1 + batch - 1) / batch
        return extra * many + (agents - extra) * few
    }
    private var framesPerSecond: Double { Double(frames) / max(seconds, 1e-9) }

    /// How many times a bare fdatasync a durable point took.
    private var syncRatio: Double? {
        guard let sync, let fdatasync, fdatasync.p50 > .zero else { return nil }
        return sync.p50 / fdatasync.p50
    }

    /// Which share of a bare SQLite program was reached.
    private var share: Double? { sqlitePointsPerSecond.map { pointsPerSecond / $0 } }

    /// Whether the gate is passed.
    var passes: Bool {
        guard let syncRatio, let share else { return false }
        return syncRatio <= Self.syncFactor && share >= Self.batchShare
    }

    func show(_ options: GlobalOptions) {
        if options.json { return Output.line(json.text) }
        let style = options.style
        var fields = TextFields()
        fields.add(
            "wrote",
            "\(Rendering.grouped(points)) points by \(agents) agents in batches of \(batch), seed "
                + "\(seed)")
        fields.add("took", Rendering.duration(elapsed) + " until all was durable")
        fields.add("points/s", Rendering.grouped(Int64(pointsPerSecond)))
        fields.add("frames/s", Rendering.grouped(Int64(framesPerSecond)))
        fields.add("one point", sync.map { "durable after \($0.text)" })
        fields.add("verified", verified ? "every point is there once" : nil)
        fields.add(
            "daemon",
            [
                daemonProcessor.map { "\(Rendering.duration($0)) processor time" },
                daemonResident.map { "\($0) resident" }, daemonPeak.map { "\($0) at most" },
            ].compactMap { $0 }.joined(separator: ", "))
        if let fdatasync, let sqlitePointsPerSecond {
            fields.add("fdatasync", "8 KiB: \(fdatasync.text)")
            fields.add(
                "bare SQLite", "\(Rendering.grouped(Int64(sqlitePointsPerSecond))) points/s")
            fields.add("gate", gateText)
        }
        fields.show(style)
    }

    private var gateText: String {
        let ratio = syncRatio.map { Rendering.decimal($0, 2) } ?? "?"
        let reached = share.map { Rendering.decimal($0 * 100, 0) } ?? "?"
        return (passes ? "passed" : "FAILED")
            + ": a durable point takes \(ratio) times an fdatasync (at most "
            + "\(Rendering.decimal(Self.syncFactor, 0))), batches reach \(reached) % of bare SQLite "
            + "(at least \(Rendering.decimal(Self.batchShare * 100, 0)) %)"
    }

    private var json: JSONValue {
        .object([
            ("event", .string("result")), ("agents", .count(agents)), ("batch", .count(batch)),
            ("points", .count(points)), ("seed", .uint(seed)), ("seconds", .double(seconds)),
            ("points_per_second", .double(pointsPerSecond)),
            ("frames_per_second", .double(framesPerSecond)), ("sync", sync?.json ?? .null),
            ("verified", .bool(verified)),
            (
                "daemon_cpu_seconds",
                daemonProcessor.map { .double($0 / .seconds(1)) } ?? .null
            ), ("daemon_resident_bytes", daemonResident.map { .uint($0.bytes) } ?? .null),
            ("daemon_peak_bytes", daemonPeak.map { .uint($0.bytes) } ?? .null),
            ("fdatasync", fdatasync?.json ?? .null),
            (
                "bare_sqlite_points_per_second",
                sqlitePointsPerSecond.map { .double($0) } ?? .null
            ), ("sync_ratio", syncRatio.map { .double($0) } ?? .null),
            ("bare_sqlite_share", share.map { .double($0) } ?? .null),
            ("gate_passed", fdatasync == nil ? .null : .bool(passes)),
        ])
    }
}
