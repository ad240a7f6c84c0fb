import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje bench search`
struct BenchSearchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "Measure searches over the runs that are there.",
        discussion: """
            Asks a store that "linaje bench fill" has filled, one call after the other: the 100 \
            runs with the lowest loss, the first page of a compound filter, how many runs pass it, \
            and all runs as JSON, page by page. Every round shifts the bounds a little, so that no \
            answer can be remembered. Nothing is written.

            --gate ends with 1 unless the medians are at most 20, 50 and 50 ms and all runs took \
            at most 5 s for 100,000 of them.

            EXAMPLES
              linaje bench fill --runs 100000
              linaje bench search --gate
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: "How often each search is made.")
    var rounds = 50
    @Option(help: "The metric that runs are ordered and chosen by.")
    var metric = "loss"
    @Flag(help: "End with 1 unless the searches are as fast as they should be.")
    var gate = false

    func validate() throws {
        guard (1...100_000).contains(rounds) else {
            throw ValidationError("--rounds must be 1 to 100000.")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        var report = BenchReport()
        let total =
            try await client.runs(
                search: SearchTerms(wish: .count), page: Page(limit: 1)
            ).facts.count ?? 0
        report.fact("runs", .uint(total))
        report.line("runs", Rendering.grouped(Int64(clamping: total)))
        let field = SearchField.metric(metric).description
        let top = try await measure { round in
            let filter = "\(field) > \(Double(round) * 1e-9)"
            return try await client.runs(
                search: SearchTerms(filter: filter, order: [field]), page: Page(limit: 100)
            ).elements.count
        }
        let page = try await measure { round in
            try await client.runs(
                search: SearchTerms(filter: filter(field, round)), page: Page(limit: 100)
            ).elements.count
        }
        let count = try await measure { round in
            Int(
                clamping: try await client.runs(
                    search: SearchTerms(filter: filter(field, round), wish: .count),
                    page: Page(limit: 1)
                ).facts.count ?? 0)
        }
        for (key, noun, found, most) in [
            ("top", "top 100", top, 20.0), ("page", "first page", page, 50),
            ("count", "count", count, 50),
        ] {
            report.latencies(key, noun, found.latencies)
            report.fact(key + "_found", .count(found.count))
            if gate {
                guard found.count > 0, total >= 100_000 else {
                    throw LinajeError(
                        .failedPrecondition,
                        "\(noun) found \(found.count) of \(total) runs, which says nothing about "
                            + "100,000; fill the store by \"linaje bench fill\" and name one of its "
                            + "metrics")
                }
                report.check(
                    .init(
                        name: key, noun: noun, unit: "ms",
                        value: found.latencies.p50 / .milliseconds(1), bound: .atMost(most)))
            }
        }
        try await list(client, &report)
        try report.show(options)
    }

    private func filter(_ field: String, _ round: Int) -> String {
        "\(field) < \(0.5 + Double(round) * 1e-9) AND (params.optimizer IN ('adam', 'adamw') "
            + "OR tags.team LIKE 'vis%') AND NOT status = 'FAILED' AND start_time > '2026-03-01'"
    }

    private func measure(
        _ search: (Int) async throws -> Int
    ) async throws -> (latencies: Latencies, count: Int) {
        var latencies = Latencies()
        var count = 0
        for round in 0..<rounds {
            let start = ContinuousClock.now
            count = try await search(round)
            latencies.record(ContinuousClock.now - start)
        }
        return (latencies, count)
    }

    /// All runs as the text that `linaje run list --json` prints.
    private func list(_ client: LinajeClient, _ report: inout BenchReport) async throws {
        var count = 0
        var bytes = 0
        let start = ContinuousClock.now
        try await client.eachPage({ try await client.unreadRuns(page: $0) }) { runs in
            count += runs.count
            var text: [UInt8] = []
            for run in runs { run.json.write(to: &text) }
            bytes += text.count
        }
        let took = ContinuousClock.now - start
        report.fact("all_seconds", .double(took / .seconds(1)))
        report.fact("all_bytes", .count(bytes))
        report.line(
            "all as JSON", "\(Rendering.duration(took)), \(ByteCount(UInt64(bytes)))")
        guard gate else { return }
        report.check(
            .init(
                name: "all", noun: "100,000 runs as JSON", unit: "s",
                value: took / .seconds(1) * 100_000 / Double(max(1, count)), bound: .atMost(5)))
    }
}
