import Glibc
import LinajeClient
import LinajeDomain
import LinajePluginKit

/// A model that is scored with: its files on this machine, and what they say of it.
struct ScoredModel: Sendable {
    /// As it was asked for.
    let name: String
    let source: FolderModelSource
    let description: ModelDescription
    let schema: InputSchema?
    /// Keeps the files where they are; `nil` for a folder of the user's.
    private let lease: ModelCache.Lease?
    /// Has described it, and may score it.
    private let process: PluginProcess

    /// How long scoring one batch may take, or opening a model.
    private static let patience = Duration.seconds(600)

    /// Finds a model, fetches it unless it is here, and looks at it.
    static func find(_ options: ScoringOptions, _ global: GlobalOptions) async throws -> ScoredModel
    {
        var lease: ModelCache.Lease?
        if options.model.hasPrefix("models:/") {
            let uri = try ModelURI(parsing: options.model)
            let client = try await global.connect(downloadMemory: GlobalOptions.downloadMemory)
            // An alias may move while files are fetched: what it points at now is fetched.
            guard let tree = try await client.resolve(uri).tree else {
                throw LinajeError(.incomplete, "\(uri) has no files yet")
            }
            lease = try await ModelCache().fetch(tree, client, quiet: global.json)
            await client.close()
        }
        let folder = lease?.folder ?? options.model
        let source = try await BlockingThread.run { try FolderModelSource(folder) }
        let process = try process(for: source)
        do {
            let description = try await process.describe(source, deadline: patience)
            return ScoredModel(
                name: options.model, source: source, description: description,
                schema: try InputSchema(signature: description.signature), lease: lease,
                process: process)
        } catch {
            await process.shutdown()
            throw error
        }
    }

    /// What scores it.
    ///
    /// - Parameters:
    ///   - width: How many batches may be computed side by side.
    ///   - format: Of the rows.
    func engine(
        _ options: ScoringOptions, width: Int, reads format: PredictInput.Format = .json,
        quiet: Bool
    ) async throws -> any ScoringEngine {
        guard options.engine != .python, format != .parquet else {
            await process.shutdown()
            guard options.engine != .native else {
                throw LinajeError(
                    .failedPrecondition,
                    "a Parquet file is read by pandas: use --engine python, or give the rows as CSV or JSON"
                )
            }
            return try await PythonEngine.start(self, options, reads: format, quiet: quiet)
        }
        let reason: String
        switch try await native(options, width: width) {
        case .engine(let engine): return engine
        case .none(let why): reason = why
        }
        await process.shutdown()
        guard options.engine != .native else {
            throw LinajeError(
                .failedPrecondition,
                "\(name) has no native scorer: \(reason); score it by its library: --engine python")
        }
        do {
            return try await PythonEngine.start(self, options, quiet: quiet)
        } catch let error as LinajeError {
            // Whoever did not ask for a library wants to know why it takes one.
            throw LinajeError(
                error.code, "\(error.message) (it has no native scorer: \(reason))",
                details: error.details)
        }
    }

    /// The native scorer; `nil`: there is none, and the model is closed.
    func nativeEngine(_ options: ScoringOptions, width: Int) async throws -> NativeEngine? {
        if case .engine(let engine) = try await native(options, width: width) { return engine }
        await process.shutdown()
        return nil
    }

    /// Ends its process. Not for a model that an engine was made of: that ends with the engine.
    func close() async { await process.shutdown() }

    private enum Native {
        case engine(NativeEngine)
        case none(String)
    }

    private func native(_ options: ScoringOptions, width: Int) async throws -> Native {
        var source = source
        var wanted: String?
        switch NativeChoice(description, schema: schema, paths: source.paths) {
        case .none(let reason): return .none(reason)
        case .any: break
        case .only(let flavor, let files):
            wanted = flavor
            source = source.only(files)
        }
        var processes = [process]
        do {
            guard let first = try await process.remoteScorer(for: source) else {
                let whose = wanted.map { "the \($0) file that its MLmodel names" } ?? "its files"
                return .none("no flavor in the box computes \(whose)")
            }
            if let wanted, first.flavor != wanted {
                return .none(
                    "its MLmodel says that mlflow.\(wanted) loads it, and its file is one of \(first.flavor)"
                )
            }
            var scorers = [first]
            for _ in 1..<max(1, width) {
                let more = try Self.process(for: self.source)
                processes.append(more)
                guard let scorer = try await more.remoteScorer(for: source) else { break }
                scorers.append(scorer)
            }
            return .engine(
                try NativeEngine(
                    scorers: scorers, processes: processes, schema: schema, output: options.output))
        } catch {
            for process in processes { await process.shutdown() }
            throw error
        }
    }

    /// Facts of a flavor that MLmodel names.
    func facts(_ flavor: String) -> [String: String] {
        description.flavors.first { $0.name == flavor }?.facts ?? [:]
    }

    private static func process(for source: FolderModelSource) throws -> PluginProcess {
        // A model takes more memory than its file, as text even much more.
        let memory = max(2 << 30, (source.size &+ (64 << 20)) &* 16)
        return PluginProcess(
            executable: try PluginPackage.host(), arguments: ["score", "--memory", String(memory)],
            configuration: PluginProcessConfiguration(deadline: patience))
    }
}
