import LinajeClient
import LinajeDomain

/// The course of `linaje bench connections`: the workers, and what was found.
struct ConnectionsBench {
    /// What the good clients saw in one round.
    struct Round {
        var latencies = Latencies()
        var failed = 0
    }

    /// Offenders must be cut off within this time.
    private static let cutBound = 30.0
    /// The p99 of the good clients may become this many times larger.
    private static let p99Bound = 1.1
    /// The daemon's memory stays below this many MiB.
    private static let residentBound = 512.0

    let client: LinajeClient
    let pid: Int32
    /// Connections of the daemon besides the bench's workers, this client's among them.
    let otherConnections: Int
    let before: DaemonUsage?
    let socket: String
    let tree: SHA256Digest
    let isQuiet: Bool
    var quiet: [Round] = []
    var abusive: [Round] = []
    private var good: [WorkerProcess] = []
    private var others: [(role: BenchWorkerCommand.Role, count: Int, worker: WorkerProcess)] = []
    private var idleConnections = 0
    private var connectSeconds = 0.0
    private var idleUsage: DaemonUsage?
    private var mostResident: ByteCount?
    /// By role: how many were cut off, and how long the slowest of these took.
    private var cuts: [(role: BenchWorkerCommand.Role, of: Int, cut: Int, seconds: Double)] = []

    init(
        client: LinajeClient, pid: Int32, otherConnections: Int, before: DaemonUsage?,
        socket: String, tree: SHA256Digest, isQuiet: Bool
    ) {
        self.client = client
        self.pid = pid
        self.otherConnections = otherConnections
        self.before = before
        self.socket = socket
        self.tree = tree
        self.isQuiet = isQuiet
    }

    /// Shows on a terminal what is done.
    func say(_ text: String) { if !isQuiet { Output.note(text) } }

    // MARK: Workers

    mutating func startGood(_ count: Int, rate: Double, points: Int) throws {
        let worker = try start(.good, count, ["--rate", "\(rate)", "--points", "\(points)"])
        good.append(worker)
    }

    mutating func startOthers(_ roles: [(BenchWorkerCommand.Role, Int)]) throws {
        for (role, count) in roles where count > 0 {
            others.append((role, count, try start(role, count, ["--tree", "\(tree)"])))
        }
    }

    /// Ends the clients that are not good ones and starts new ones.
    mutating func replaceOthers(_ roles: [(BenchWorkerCommand.Role, Int)]) async throws {
        for other in others { await other.worker.end() }
        others = []
        try startOthers(roles)
        for other in others { _ = try await other.worker.answer("connected") }
    }

    private func start(
        _ role: BenchWorkerCommand.Role, _ count: Int, _ more: [String]
    ) throws -> WorkerProcess {
        try WorkerProcess.start(
            ["bench", "worker", "--socket", socket, "--role", role.rawValue, "--count", "\(count)"]
                + more)
    }

    /// Waits until all clients are connected.
    mutating func awaitConnected(_ count: Int) async throws {
        say("connecting")
        for worker in good + others.map(\.worker) {
            connectSeconds = max(connectSeconds, try await worker.answer("connected").seconds)
        }
        idleConnections = count + others.reduce(0) { $0 + $1.count }
    }

    /// What idle connections cost.
    mutating func measureIdle() async throws {
        // What connecting needed for a moment is given back first.
        try await Task.sleep(for: .seconds(2))
        idleUsage = DaemonUsage(pid: pid)
    }

    mutating func openStreams() async throws {
        say("opening metric streams")
        for worker in good { worker.order("open") }
        for worker in good { _ = try await worker.answer("open") }
    }

    mutating func closeStreams() async throws {
        for worker in good { worker.order("close") }
        for worker in good { _ = try await worker.answer("closed") }
    }

    mutating func endAll() async {
        for worker in good + others.map(\.worker) { await worker.end() }
        good = []
        others = []
    }

    // MARK: Rounds

    /// Lets the good clients send for a while.
    mutating func measure(_ seconds: Double) async throws -> Round {
        for worker in good { worker.order("measure \(seconds)") }
        var round = Round()
        for worker in good {
            let answer = try await worker.answer("measured")
            round.failed += answer.failed ?? 0
            for pair in answer.latencies ?? [] where pair.count == 2 {
                round.latencies.record(nanoseconds: pair[0], count: pair[1])
            }
        }
        return round
    }

    /// The same while the others misbehave, until the last of them is cut off.
    mutating func measureAbuse(_ seconds: Double) async throws -> Round {
        for other in others { other.worker.order("abuse") }
        let start = ContinuousClock.now
        for other in others {
            _ = try await other.worker.answer("ready")
            if other.role == .stopped { other.worker.pause() }
        }
        let pid = pid
        await settle()
        let sampling = Task {
            var most: ByteCount?
            while !Task.isCancelled {
                if let now = DaemonUsage(pid: pid)?.resident, now.bytes > most?.bytes ?? 0 {
                    most = now
                }
                try? await Task.sleep(for: .milliseconds(250))
            }
            return most
        }
        async let stoppedSeconds = secondsUntilCut(since: start)
        let round = try await measure(seconds)
        let lastStopped = try await stoppedSeconds
        for other in others {
            if other.role == .stopped { other.worker.resume() }
            let answer = try await other.worker.answer("cut")
            cuts.append(
                (
                    other.role, other.count, answer.count,
                    other.role == .stopped ? lastStopped : answer.seconds
                ))
        }
        sampling.cancel()
        if let most = await sampling.value, most.bytes > mostResident?.bytes ?? 0 {
            mostResident = most
        }
        return round
    }

    /// Waits until the daemon has done what the abusers asked for, but not so long that they have
    /// been cut off before the round begins.
    private func settle() async {
        let deadline = ContinuousClock.now + .seconds(8)
        while ContinuousClock.now < deadline {
            let before = DaemonUsage(pid: pid)
            try? await Task.sleep(for: .milliseconds(250))
            guard let before, let after = DaemonUsage(pid: pid) else { return }
            if after.processor - before.processor < .milliseconds(50) { return }
        }
    }

    /// How long it takes until the stopped clients, which cannot say so themselves, and all other
    /// offenders are gone, as the daemon counts them.
    private func secondsUntilCut(since start: ContinuousClock.Instant) async throws -> Double {
        let rest = idleConnections - others.reduce(0) { $0 + $1.count }
        while ContinuousClock.now - start < .seconds(45) {
            if try await client.status().connections <= rest + otherConnections { break }
            try await Task.sleep(for: .milliseconds(250))
        }
        return (ContinuousClock.now - start) / .seconds(1)
    }

    // MARK: What was found

    /// The median of what each abusive round is to the quiet one before it.
    private var p99Ratio: Double? {
        zip(abusive, quiet).map { abusive, quiet in
            abusive.latencies.percentile(0.99) / quiet.latencies.percentile(0.99)
        }.sorted().median
    }

    private var perConnection: Double? {
        guard let before, let idleUsage, idleConnections > 0 else { return nil }
        return (Double(idleUsage.resident.bytes) - Double(before.resident.bytes))
            / Double(idleConnections)
    }

    func describe(_ report: inout BenchReport, gate: Bool, hasAbusers: Bool) {
        report.fact("connect_seconds", .double(connectSeconds))
        report.line("connecting", "\(Rendering.decimal(connectSeconds, 2)) s for all at once")
        report.fact("idle_resident_bytes", idleUsage.map { .uint($0.resident.bytes) })
        report.fact("idle_bytes_per_connection", perConnection.map { .double($0) })
        report.line(
            "idle",
            idleUsage.flatMap { usage in
                perConnection.map {
                    "\(usage.resident) resident, \(Rendering.grouped(Int64($0))) bytes a connection"
                }
            })
        for (index, round) in quiet.enumerated() {
            report.line("quiet \(index + 1)", text(round))
            if index < abusive.count { report.line("abusive \(index + 1)", text(abusive[index])) }
        }
        report.fact("quiet", .array(quiet.map { json($0) }))
        report.fact("abusive_rounds", .array(abusive.map { json($0) }))
        report.fact("p99_ratio", p99Ratio.map { .double($0) })
        report.fact("most_resident_bytes", mostResident.map { .uint($0.bytes) })
        describeCuts(&report)
        let failed = (quiet + abusive).reduce(0) { $0 + $1.failed }
        report.fact("failed", .count(failed))
        report.line("failed", "\(failed) batches of good clients")
        guard gate, hasAbusers else { return }
        let slowest = cuts.map { $0.cut == $0.of ? $0.seconds : .infinity }.max()
        report.check(
            .init(
                name: "p99_ratio", noun: "with abusers the p99 is", unit: "times that without",
                value: p99Ratio, bound: .atMost(Self.p99Bound)))
        report.check(
            .init(
                name: "resident_mib", noun: "the daemon had at most", unit: "MiB resident",
                value: mostResident.map { Double($0.bytes) / Double(1 << 20) },
                bound: .atMost(Self.residentBound)))
        report.check(
            .init(
                name: "cut_seconds", noun: "the last offender was cut off after", unit: "s",
                value: slowest, bound: .atMost(Self.cutBound)))
        report.check(
            .init(
                name: "failed", noun: "good clients failed to store", unit: "batches",
                value: Double(failed), bound: .atMost(0)))
    }

    private func describeCuts(_ report: inout BenchReport) {
        report.fact(
            "cuts",
            .array(
                cuts.map {
                    .object([
                        ("role", .string($0.role.rawValue)), ("clients", .count($0.of)),
                        ("cut", .count($0.cut)), ("seconds", .double($0.seconds)),
                    ])
                }))
        for cut in cuts {
            report.line(
                "cut off",
                "\(cut.cut) of \(cut.of) \(cut.role.rawValue), the last after "
                    + "\(Rendering.decimal(cut.seconds, 1)) s")
        }
    }

    private func text(_ round: Round) -> String { round.latencies.text }

    private func json(_ round: Round) -> JSONValue { round.latencies.json }
}
