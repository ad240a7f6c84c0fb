import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model predict`
struct ModelPredictCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict", abstract: "Score rows with a model.",
        discussion: """
            The model's files are fetched once and kept, checked, in the cache folder. Boosted trees, \
            linear models and the like are computed without Python; everything else by its own library \
            in an environment made of the model's requirements.txt.

            Rows come as CSV with the names of the columns in its first line, or as JSON in one of the \
            forms of MLflow's scoring protocol: dataframe_split, dataframe_records, instances, inputs. \
            They are held against the model's signature. A Parquet file is read by pandas, so it is scored \
            by the model's library. Without --to predictions go to standard output, in the form of the \
            input.

            EXAMPLES
              linaje model predict -m models:/fraud-detector@champion -i rows.csv
              linaje model predict -m ./model -i rows.json -o scores.json
              zcat rows.csv.gz | linaje model predict -m models:/fraud-detector/3 -i - -o out.csv
              linaje model predict -m models:/iris/1 -i rows.csv --output probability
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var scoring: ScoringOptions
    @Option(
        name: [.customShort("i"), .long],
        help: "The rows: a .csv, .json or .parquet file; - for standard input (CSV or JSON).",
        completion: .file())
    var input: String
    @Option(
        name: [.customShort("o"), .customLong("to")],
        help: "The file to write, .json or .csv; standard output if not given.", completion: .file()
    )
    var destination: String?

    func run() async throws {
        var input = try await PredictInput(input)
        let model = try await ScoredModel.find(scoring, options)
        let engine = try await model.engine(
            scoring, width: 1, reads: input.format, quiet: options.json)
        do {
            try await run(&input, engine)
            await engine.shutdown()
        } catch {
            await engine.shutdown()
            throw error
        }
    }

    /// The file to write; `nil`: standard output.
    private var target: String? { destination == "-" ? nil : destination }

    private var format: PredictionWriter.Format? {
        guard let target else { return options.json ? .json : nil }
        return target.hasSuffix(".csv") ? .csv : .json
    }

    private func run(_ input: inout PredictInput, _ engine: any ScoringEngine) async throws {
        let usual: PredictionWriter.Format = input.format == .json ? .json : .csv
        var writer = try PredictionWriter(
            target, format: format ?? usual, name: scoring.output)
        switch input.format {
        case .json:
            let request = try ScoringRequest(parsing: try await input.whole())
            if request.params != nil, !engine.takesParams, !options.json {
                Output.note("params are ignored: \(engine.about) takes none")
            }
            try writer.add(try await engine.predict(request))
        case .parquet:
            let path = try input.absolutePath()
            try writer.add(try await engine.score(.parquet(path), params: nil))
        case .csv where engine.takesWholeFiles:
            try writer.add(try await engine.score(.csv(try await input.whole()), params: nil))
        case .csv:
            try await stream(&input, engine, &writer)
        }
        try writer.finish()
        report(writer.rows, engine)
    }

    /// Scores a batch while the next is read.
    private func stream(
        _ input: inout PredictInput, _ engine: any ScoringEngine, _ writer: inout PredictionWriter
    ) async throws {
        let bar = StepBar(isQuiet: options.json || target == nil)
        defer { bar.clear() }
        var batches = CSVBatches(engine)
        var bytes = UInt64(0)
        var rest = ArraySlice<UInt8>()
        var isTold = false
        var isOver = false
        var underWay: ScoringBatch?
        while !isOver || underWay != nil {
            let batch = underWay
            async let scored = Self.score(batch, engine)
            while !isOver, !batches.isFull {
                if rest.isEmpty { rest = try await input.next()[...] }
                let piece = rest.prefix(batches.pieceBytes)
                rest = rest.dropFirst(piece.count)
                isOver = piece.isEmpty
                bytes += UInt64(piece.count)
                if isOver { try batches.finish() } else { try batches.take(piece) }
                if !isTold, let plan = batches.plan {
                    isTold = true
                    tell(ignored: plan.ignored)
                }
            }
            if let predictions = try await scored { try writer.add(predictions) }
            underWay = batches.waiting > 0 ? batches.next() : nil
            bar.draw(progress(batches.rows, bytes, of: input.size))
        }
        // A file without rows has its columns all the same.
        if batches.rows == 0 { try writer.add(try await engine.score(batches.next(), params: nil)) }
    }

    private static func score(
        _ batch: ScoringBatch?, _ engine: any ScoringEngine
    ) async throws -> Predictions? {
        guard let batch else { return nil }
        return try await engine.score(batch, params: nil)
    }

    private func tell(ignored: [String]) {
        guard !ignored.isEmpty, !options.json else { return }
        let shown = ignored.prefix(8).map { "\"\(printable($0))\"" }.joined(separator: ", ")
        let more = ignored.count > 8 ? " and \(ignored.count - 8) more" : ""
        Output.note(
            "\(ignored.count == 1 ? "column" : "columns") \(shown)\(more) the model does not take")
    }

    private func progress(_ rows: Int, _ bytes: UInt64, of size: UInt64) -> String {
        let share = size > 0 ? ", \(min(100, bytes * 100 / size)) %" : ""
        return "\(Rendering.grouped(rows)) rows\(share)"
    }

    private func report(_ rows: Int, _ engine: any ScoringEngine) {
        guard let target else { return }
        guard !options.json else {
            return Output.line(
                JSONValue.object([
                    ("rows", .count(rows)), ("engine", .string(engine.about)),
                    ("destination", .string(target)),
                ]).text)
        }
        Output.line(target)
        Output.note("\(Rendering.grouped(rows)) rows, \(engine.about)")
    }
}
