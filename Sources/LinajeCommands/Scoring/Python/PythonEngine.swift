import LinajeDomain
import LinajePluginKit
import Synchronization

/// Predictions by a model's own library, in a Python process.
///
/// A process that ended is started again by the next call, with a wait that grows while it keeps
/// ending.
actor PythonEngine: ScoringEngine {
    /// How long loading a model, or one batch, may take.
    private static let patience = Duration.seconds(600)

    nonisolated let about: String
    nonisolated var takesNumbers: Bool { false }
    nonisolated let takesParams: Bool
    nonisolated let takesWholeFiles: Bool

    private nonisolated let schema: InputSchema?
    private let output: String?
    private let words: [String]
    private let hello: JSONNode
    private let shows: Bool
    private var pipe: WorkerPipe?
    private var failures = 0
    private var notBefore = ContinuousClock.now
    /// Calls wait for one another: the worker does one thing at a time.
    private var isBusy = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    /// Finds its interpreter, starts it and loads the model.
    static func start(
        _ model: ScoredModel, _ options: ScoringOptions,
        reads format: PredictInput.Format = .json, quiet: Bool
    ) async throws -> PythonEngine {
        try CodeRisk.check(model, isAllowed: options.allowCode)
        try refuseUnread(model)
        let environment = try await PythonEnvironment.find(
            for: model, options, reads: format, quiet: quiet)
        let words =
            [environment.program] + (environment.isIsolated ? [PythonEnvironment.isolated] : [])
            + ["-c", PythonWorkerScript.text]
        let hello = try await hello(model)
        let (pipe, library) = try await open(words, hello, shows: !quiet)
        return PythonEngine(
            words: words, hello: hello, pipe: pipe, library: library, schema: model.schema,
            output: options.output, shows: !quiet)
    }

    private init(
        words: [String], hello: JSONNode, pipe: WorkerPipe, library: Library, schema: InputSchema?,
        output: String?, shows: Bool
    ) {
        self.words = words
        self.hello = hello
        self.pipe = pipe
        about = "python \(library.python) (\(library.name))"
        takesParams = library.takesParams
        self.schema = schema
        self.output = output
        self.shows = shows
        if case .columns? = schema { takesWholeFiles = false } else { takesWholeFiles = true }
    }

    nonisolated func plan(columns: [String]?, count: Int) throws -> ColumnPlan? {
        guard case .columns(let wanted)? = schema else { return nil }
        return try ColumnPlan(schema: wanted, columns: columns, count: count)
    }

    func score(_ batch: ScoringBatch, params: JSONNode?) async throws -> Predictions {
        var bytes: [UInt8] = []
        JSONNode.object([
            .init(key: "data", value: try Self.data(batch, schema)),
            .init(key: "params", value: params ?? .null),
        ]).write(to: &bytes)
        await enter()
        defer { leave() }
        let pipe = try await running()
        let request = bytes
        let answer: [UInt8]
        do {
            answer = try await BlockingThread.run {
                try pipe.exchange(request, within: Self.patience)
            }
        } catch {
            await forget(pipe)
            throw error
        }
        let members = try Self.members(answer)
        if case .string(let problem)? = members["refused"] {
            throw LinajeError(.invalidArgument, problem)
        }
        if case .string(let problem)? = members["missing"] {
            throw LinajeError(.pluginFailed, problem)
        }
        guard let predictions = members["predictions"] else {
            await forget(pipe)
            throw LinajeError(.pluginFailed, "the Python worker gave no predictions")
        }
        failures = 0
        return .answered(try predictions.output(output))
    }

    func shutdown() async {
        guard let pipe else { return }
        self.pipe = nil
        try? await BlockingThread.run { pipe.end() }
    }

    // MARK: One call at a time

    private func enter() async {
        guard isBusy else {
            isBusy = true
            return
        }
        await withCheckedContinuation { waiters.append($0) }
    }

    private func leave() {
        if waiters.isEmpty { isBusy = false } else { waiters.removeFirst().resume() }
    }

    private func running() async throws -> WorkerPipe {
        if let pipe { return pipe }
        guard notBefore <= .now else {
            throw LinajeError(
                .unavailable,
                "the Python worker has ended \(failures) times in a row and rests before it is started "
                    + "again; try again later")
        }
        do {
            let (pipe, _) = try await Self.open(words, hello, shows: shows)
            self.pipe = pipe
            return pipe
        } catch let error as LinajeError where error.code == .failedPrecondition {
            rest()
            // It was met at the start: whoever asks for predictions now has done nothing wrong.
            throw LinajeError(.pluginFailed, error.message)
        } catch {
            rest()
            throw error
        }
    }

    private func forget(_ pipe: WorkerPipe) async {
        self.pipe = nil
        rest()
        try? await BlockingThread.run { pipe.end() }
    }

    private func rest() {
        failures += 1
        guard failures > 1 else { return }
        notBefore = .now + .milliseconds(min(30_000, 100 << min(failures, 10)))
    }

    // MARK: Messages

    /// What loaded the model.
    private struct Library {
        var name: String
        /// The version of its interpreter.
        var python: String
        var takesParams: Bool { ["mlflow", "linaje"].contains(name) }
    }

    private static func open(
        _ words: [String], _ hello: JSONNode, shows: Bool
    ) async throws -> (WorkerPipe, Library) {
        try await BlockingThread.run {
            let pipe = try WorkerPipe(
                words, environment: PythonEnvironment.environment(), shows: shows)
            do {
                var bytes: [UInt8] = []
                hello.write(to: &bytes)
                let answer = try members(try pipe.exchange(bytes, within: patience))
                if case .string(let problem)? = answer["missing"] {
                    throw LinajeError(.failedPrecondition, problem)
                }
                if case .string(let problem)? = answer["error"] {
                    throw LinajeError(.failedPrecondition, "the model's library: \(problem)")
                }
                let library = Library(
                    name: answer["library"]?.text ?? "?", python: answer["python"]?.text ?? "?")
                return (pipe, library)
            } catch let error as LinajeError where error.code == .pluginFailed {
                pipe.end()
                // What crashes while it is loaded will do so again.
                throw LinajeError(
                    .failedPrecondition, "the model was being loaded when \(error.message)")
            } catch {
                pipe.end()
                throw error
            }
        }
    }

    private static func members(_ answer: [UInt8]) throws -> [String: JSONNode] {
        do {
            return try JSONNodeParser.parse(answer, mostValues: 100_000_000)
                .members(of: "the answer of the Python worker")
        } catch let error as LinajeError {
            throw LinajeError(.pluginFailed, "the Python worker sends nonsense: \(error.message)")
        }
    }

    /// Refuses a model whose MLmodel could not be read: it may say that more belongs to the model than
    /// what a library would load of it.
    private static func refuseUnread(_ model: ScoredModel) throws {
        guard let finding = unread(model.description) else { return }
        throw LinajeError(.failedPrecondition, "\(model.name) is not loaded: \(finding)")
    }

    /// Why the flavor that reads MLmodel files has said nothing; `nil`: it has, or there is none.
    static func unread(_ description: ModelDescription) -> String? {
        description.findings.first {
            $0.path.isEmpty && $0.message.hasPrefix("python_function: ")
        }?.message
    }

    /// What the worker is told of the model.
    private static func hello(_ model: ScoredModel) async throws -> JSONNode {
        let flavors = model.description.flavors.map { flavor in
            JSONNode.Member(
                key: flavor.name,
                value: .object(
                    flavor.facts.sorted { $0.key < $1.key }.map {
                        .init(key: $0.key, value: .string($0.value))
                    }))
        }
        let endings = [".pkl", ".pickle", ".joblib", ".skops"]
        let pickles = try await model.source.files().map(\.path).filter { path in
            endings.contains { path.hasSuffix($0) }
        }
        var dtype = JSONNode.null
        if case .tensors(let tensors)? = model.schema, let first = tensors.first,
            tensors.count == 1, first.dtype != "str"
        {
            dtype = .string(first.dtype)
        }
        return .object([
            .init(key: "folder", value: .string(try PluginPackage.absolute(model.source.folder))),
            .init(key: "flavors", value: .object(flavors)),
            .init(key: "pickles", value: .array(pickles.map { .string($0) })),
            .init(key: "dtype", value: dtype),
            .init(
                key: "carrier",
                value: PythonEnvironment.carrier(of: model.schema).map { .string($0) } ?? .null),
        ])
    }

    private static func data(_ batch: ScoringBatch, _ schema: InputSchema?) throws -> JSONNode {
        var members: [JSONNode.Member]
        switch batch {
        case .numbers:
            throw LinajeError(.internalError, "a library takes rows, not numbers")
        case .tensor(let value):
            members = [
                .init(key: "kind", value: .string("tensor")), .init(key: "value", value: value),
            ]
        case .csv(let bytes):
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw LinajeError(.invalidArgument, "the CSV file is not UTF-8")
            }
            members = [
                .init(key: "kind", value: .string("csv")), .init(key: "text", value: .string(text)),
            ]
        case .parquet(let path):
            var columns: [InputSchema.Column] = []
            if case .columns(let known)? = schema { columns = known.filter { $0.name != nil } }
            members = [
                .init(key: "kind", value: .string("parquet")),
                .init(key: "path", value: .string(path)),
                .init(
                    key: "columns", value: .array(columns.compactMap(\.name).map { .string($0) })),
                .init(key: "types", value: .array(columns.map { .string($0.type.name) })),
            ]
        case .table(let table, let types):
            members = [
                .init(key: "kind", value: .string("rows")),
                .init(
                    key: "columns",
                    value: table.columns.map { .array($0.map { .string($0) }) } ?? .null),
                .init(
                    key: "types", value: .array((types ?? []).map { .string($0.name) })),
                .init(key: "rows", value: .array(table.rows.map { .array($0) })),
                .init(key: "flat", value: .bool(table.isFlat)),
            ]
        }
        return .object(members)
    }
}
