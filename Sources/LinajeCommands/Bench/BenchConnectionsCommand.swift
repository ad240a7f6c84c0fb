import ArgumentParser
import FoundationEssentials
import Glibc
import LinajeClient
import LinajeDomain

/// `linaje bench connections`
struct BenchConnectionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connections",
        abstract: "Measure thousands of clients, with and without abusive ones among them.",
        discussion: """
            The clients live in processes of their own. First all connect at once and are idle, \
            which shows what a connection costs. Then the good ones send small metric batches at a \
            fixed rate; a batch counts from the moment at which it was to be sent, until it is \
            durable. In quiet rounds the others are idle; in abusive rounds a third of them ask \
            for a file and never read it, a third send a frame byte by byte, and a third are \
            stopped (SIGSTOP) with their answers unread. A round begins once all of them do so \
            and what they asked for is done, and lasts until the daemon has cut them off.

            Quiet and abusive rounds take turns, and each abusive round is compared with the quiet \
            one before it: what else the machine does meanwhile touches both alike. The ratio is \
            the median of these comparisons.

            --gate ends with 1 unless the p99 of the good clients moves by at most 10 %, the \
            daemon's memory stays below 512 MiB, and every offender is cut off within 30 s.

            EXAMPLES
              linaje bench connections --clients 10000 --abusive 3000 --gate
              linaje bench connections --clients 600 --abusive 180 --rounds 1 --seconds 10 --json
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: "Connections in all.")
    var clients = 10_000
    @Option(help: "How many of them are abusive.")
    var abusive = 3_000
    @Option(help: "Batches a second that each good client sends.")
    var rate = 0.2
    @Option(help: "Points in a batch.")
    var points = 10
    @Option(help: "Length of a round in seconds.")
    var seconds = 25.0
    @Option(help: "Quiet rounds, and as many abusive ones.")
    var rounds = 3
    @Flag(help: "End with 1 unless abusive clients hurt nobody.")
    var gate = false

    /// The file that is asked for and not read.
    static let fileName = "weights"
    /// Its size: much more than a socket holds.
    private static let fileBytes = 4 << 20
    /// Clients of one worker.
    private static let clientsPerWorker = 5_000

    func validate() throws {
        guard (1...100_000).contains(clients), (0..<clients).contains(abusive) else {
            throw ValidationError("--clients must be 1 to 100000, --abusive less.")
        }
        guard !gate || abusive >= 3 else {
            throw ValidationError("--gate needs --abusive of 3 or more: one of each kind.")
        }
        guard rate > 0, rate <= 1_000 else { throw ValidationError("--rate must be up to 1000.") }
        guard (1...1_000).contains(points) else {
            throw ValidationError("--points must be 1 to 1000.")
        }
        guard seconds >= 1, seconds <= 3_600, (1...100).contains(rounds) else {
            throw ValidationError("--seconds must be 1 to 3600, --rounds 1 to 100.")
        }
    }

    func run() async throws {
        // A worker that is gone is an error, not our end.
        signal(SIGPIPE, SIG_IGN)
        let client = try await options.connect()
        let status = try await client.status()
        let allowed = FileLimit.raise()
        let daemonAllowed = FileLimit.of(pid: status.pid)
        if let daemonAllowed, clients + 200 > daemonAllowed {
            throw LinajeError(
                .failedPrecondition,
                "the daemon may have \(daemonAllowed) files open, too few for \(clients) clients; "
                    + "raise its limit (LimitNOFILE) or use fewer --clients")
        }
        var bench = ConnectionsBench(
            client: client, pid: status.pid, otherConnections: status.connections,
            before: DaemonUsage(pid: status.pid),
            socket: try options.daemonSocket(), tree: try await storeFile(client),
            isQuiet: options.json)
        do {
            try await measure(&bench)
        } catch {
            await bench.endAll()
            throw error
        }
        await bench.endAll()
        var report = BenchReport()
        report.fact("clients", .count(clients))
        report.fact("abusive", .count(abusive))
        report.fact("rate", .double(rate))
        report.fact("file_limit", .count(allowed))
        report.fact("daemon_file_limit", daemonAllowed.map { .count($0) })
        report.line(
            "clients",
            "\(Rendering.grouped(clients)), \(Rendering.grouped(abusive)) of them abusive; "
                + "\(Rendering.decimal(rate, 2)) batches of \(points) points a second each")
        report.line(
            "files",
            "a process may open \(Rendering.grouped(allowed))"
                + (daemonAllowed.map { ", the daemon \(Rendering.grouped($0))" } ?? ""))
        bench.describe(&report, gate: gate, hasAbusers: abusive > 0)
        report.usage(bench.before, DaemonUsage(pid: status.pid))
        try report.show(options)
    }

    /// Stores the file that abusive clients ask for.
    private func storeFile(_ client: LinajeClient) async throws -> SHA256Digest {
        let folder = try BenchFolder(in: FileManager.default.temporaryDirectory.path)
        defer { folder.remove() }
        let paths = try folder.fill(.random, files: 1, size: Self.fileBytes, seed: 1)
        let path = "\(folder.path)/\(Self.fileName)"
        try FileManager.default.moveItem(atPath: paths[0], toPath: path)
        return try await client.upload(path).digest
    }

    private func measure(_ bench: inout ConnectionsBench) async throws {
        let good = clients - abusive
        for start in stride(from: 0, to: good, by: Self.clientsPerWorker) {
            try bench.startGood(
                min(Self.clientsPerWorker, good - start), rate: rate, points: points)
        }
        if abusive > 0 { try bench.startOthers([(.idle, abusive)]) }
        try await bench.awaitConnected(good)
        try await bench.measureIdle()
        try await bench.openStreams()
        for round in 1...rounds {
            if round > 1, abusive > 0 { try await bench.replaceOthers([(.idle, abusive)]) }
            bench.say("round \(round) of \(rounds): quiet")
            bench.quiet.append(try await bench.measure(seconds))
            guard abusive > 0 else { continue }
            let third = abusive / 3
            try await bench.replaceOthers([
                (.never, third), (.dribble, third), (.stopped, abusive - 2 * third),
            ])
            bench.say("round \(round) of \(rounds): abusive")
            bench.abusive.append(try await bench.measureAbuse(seconds))
        }
        try await bench.closeStreams()
    }
}
