import ArgumentParser
import Glibc
import LinajeAgent
import LinajeClient
import LinajeDomain

/// `linaje metric import`
struct MetricImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Read points of CSV or JSON lines into runs.",
        discussion: """
            Reads what "linaje metric export" writes: columns or fields key, step, timestamp \
            (microseconds since 1970 UTC), value, and where they are there run_id, model_id, dataset, \
            dataset_digest. With --run all points go into that run. Otherwise each run \
            of the file becomes a new one, in --experiment or in experiment 0, with the tag \
            linaje.imported_from. The file is checked as a whole first: where a line is wrong, it is named and \
            nothing is stored. An import that was interrupted is repeated by the same command: each \
            point is stored once. Standard input ("-") is copied to a temporary file first.

            EXAMPLES
              linaje metric import points.csv --experiment fraud
              linaje metric import points.jsonl --run RUN
              zcat points.csv.gz | linaje metric import - --experiment fraud
            """)

    /// Most runs whose streams are open at once.
    private static let openRuns = 32

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The file, or - for standard input.", completion: .file())
    var file: String
    @Option(help: "The run that all points go into.")
    var run: String?
    @Option(help: "The experiment of the new runs, by name or number.")
    var experiment: String?
    @Option(help: "csv or jsonl; without it what the file's name says, or how it begins.")
    var format: PointFormat?

    func validate() throws {
        guard run == nil || experiment == nil else {
            throw ValidationError("Give --run or --experiment, not both.")
        }
    }

    func run() async throws {
        let source = try await BlockingThread.run { [file] in try ImportSource(file) }
        let plan = try await BlockingThread.run { [format] in
            try ImportPlan(source, format: format)
        }
        guard run == nil || plan.parts.count <= 1 else {
            throw LinajeError(
                .invalidArgument,
                "\(source.name) has points of \(plan.parts.count) runs, which would become one; "
                    + "import it without --run, or divide it")
        }
        let client = try await options.connect()
        var target: RunID?
        if let run { target = try await Arguments.run(run, client) }
        var runs: [RunID?: ImportedRun] = [:]
        let experiment = try await experimentID(client)
        for (old, part) in plan.parts {
            let id =
                if let target { target } else {
                    try await newRun(old, part, plan.fingerprint, in: experiment, client)
                }
            runs[old] = ImportedRun(id, fingerprint: plan.fingerprint)
        }
        try await send(source, plan, to: &runs, client)
        if target == nil { try await finish(runs, plan, client) }
        show(plan, runs)
    }

    private func experimentID(_ client: LinajeClient) async throws -> ExperimentID {
        guard let experiment else { return 0 }
        return try await Arguments.experiment(experiment, client).id
    }

    // MARK: Sending

    /// Sends the points in the order of the file.
    private func send(
        _ source: ImportSource, _ plan: ImportPlan, to runs: inout [RunID?: ImportedRun],
        _ client: LinajeClient
    ) async throws {
        let bar = StepBar(isQuiet: options.json)
        defer { bar.clear() }
        var reader = PointReader(plan.format)
        var open: [RunID?] = []
        var place = 0
        var sent: UInt64 = 0
        do {
            while place < plan.bytes {
                let (grown, rows, count) = try await BlockingThread.run { [reader, place] in
                    try Self.rows(source, reader, at: place, of: plan.bytes)
                }
                (reader, place) = (grown, place + count)
                for row in rows {
                    if open.last != row.run { try await use(row.run, &open, &runs, client) }
                    try await runs[row.run]?.add(row, client)
                }
                sent += UInt64(rows.count)
                bar.draw("\(Rendering.grouped(sent)) of \(Rendering.grouped(plan.points)) points")
            }
            for run in open { try await runs[run]?.close(client) }
        } catch {
            for run in open { runs[run]?.abandon() }
            throw error
        }
        guard sent == plan.points else {
            throw LinajeError(
                .conflict, "\(source.name) was changed while it was read; import it again")
        }
    }

    /// The run that the next point goes into is the last of those that are open; the one that was
    /// used longest ago is closed for it. Which it is depends on the order of the file alone.
    private func use(
        _ run: RunID?, _ open: inout [RunID?], _ runs: inout [RunID?: ImportedRun],
        _ client: LinajeClient
    ) async throws {
        if let known = open.firstIndex(of: run) {
            open.remove(at: known)
        } else if open.count >= Self.openRuns {
            let oldest = open.removeFirst()
            try await runs[oldest]?.close(client)
        }
        open.append(run)
    }

    /// The points of the next block of the file. Blocks.
    private static func rows(
        _ source: ImportSource, _ reader: PointReader, at place: Int, of bytes: Int
    ) throws -> (PointReader, [PointRow], Int) {
        var reader = reader
        var rows: [PointRow] = []
        let block = Array(try source.bytes(at: place).prefix(bytes - place))
        guard !block.isEmpty else {
            throw LinajeError(
                .conflict, "\(source.name) was cut while it was read; import it again")
        }
        try reader.take(block) { rows.append($0) }
        if place + block.count >= bytes { try reader.finish { rows.append($0) } }
        return (reader, rows, block.count)
    }

    // MARK: New runs

    /// The run that the points of one of the file's runs go into: the same for the same file,
    /// experiment and user.
    private func newRun(
        _ old: RunID?, _ part: ImportPlan.Part, _ fingerprint: String,
        in experiment: ExperimentID, _ client: LinajeClient
    ) async throws -> RunID {
        let from = old.map { "\($0)" } ?? ""
        var attempt = 0
        while true {
            let id: RunID = DerivedIdentity.make(
                ["import", fingerprint, "\(experiment)", "\(getuid())", from, "\(attempt)"])
            var run = NewRun(
                id: id, experimentID: experiment,
                name: old == nil ? "imported" : "imported-\(from.suffix(8))")
            run.startedAt = Timestamp(microseconds: part.firstTime)
            if old != nil { run.tags = [Tag(key: "linaje.imported_from", value: from)] }
            do {
                return try await client.createRun(run).id
            } catch let error as LinajeError
                where error.details["deleted"] != nil && attempt < 100
            {
                // What an earlier import made was deleted for good since.
                attempt += 1
            }
        }
    }

    /// The new runs are as long as their points.
    private func finish(
        _ runs: [RunID?: ImportedRun], _ plan: ImportPlan, _ client: LinajeClient
    ) async throws {
        for (old, run) in runs {
            guard try await !client.run(run.run).status.isTerminal else { continue }
            _ = try await client.updateRun(
                run.run, status: .finished,
                endedAt: plan.parts[old].map { Timestamp(microseconds: $0.lastTime) },
                endedCause: "imported")
        }
    }

    private func show(_ plan: ImportPlan, _ runs: [RunID?: ImportedRun]) {
        let sent = runs.values.reduce(0) { $0 + $1.sent }
        let known = runs.values.reduce(0) { $0 + $1.known }
        guard options.json else {
            let rest = known == 0 ? "" : ", \(Rendering.grouped(known)) were there already"
            for (old, run) in runs where self.run == nil {
                Output.line("\(run.run)" + (old.map { " from \($0)" } ?? ""))
            }
            Output.note("\(Rendering.grouped(sent)) points are durable\(rest)")
            return
        }
        let made = runs.map { old, run in
            JSONValue.object([
                ("run_id", .string("\(run.run)")), ("from", .optional(old.map { "\($0)" })),
                ("points", .uint(run.sent)), ("already_there", .uint(run.known)),
            ])
        }
        Output.line(
            JSONValue.object([
                ("points", .uint(sent)), ("already_there", .uint(known)), ("runs", .array(made)),
            ]).text)
    }
}
