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
    /// - Parameter width: How many batches may be computed side by side.
    func engine(
        _ options: ScoringOptions, width: Int, quiet: Bool
    ) async throws -> any ScoringEngine {
        if options.engine != .python, let native = try await native(options, width: width) {
            return native
        }
        guard options.engine != .native else {
            await process.shutdown()
            throw LinajeError(
                .failedPrecondition,
                "\(name) has no native scorer; score it by its library: --engine python")
        }
        await process.shutdown()
        return try await PythonEngine.start(self, options, quiet: quiet)
    }

    private func native(_ options: ScoringOptions, width: Int) async throws -> NativeEngine? {
        guard ColumnPlan.isNative(schema) else { return nil }
        var processes = [process]
        do {
            guard let first = try await process.remoteScorer(for: source),
                isLoaded(by: first.flavor)
            else { return nil }
            var scorers = [first]
            for _ in 1..<max(1, width) {
                let more = try Self.process(for: source)
                processes.append(more)
                guard let scorer = try await more.remoteScorer(for: source) else { break }
                scorers.append(scorer)
            }
            return try NativeEngine(
                scorers: scorers, processes: processes, schema: schema, output: options.output)
        } catch {
            for process in processes { await process.shutdown() }
            throw error
        }
    }

    /// Whether the library that MLmodel names is this flavor's: around a model that a flavor computes,
    /// Python may have put a program that does more.
    private func isLoaded(by flavor: String) -> Bool {
        guard let generic = description.flavors.first(where: { $0.name == "python_function" }),
            let loader = generic.facts["loader_module"]
        else { return true }
        return loader == "mlflow.\(flavor)"
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
