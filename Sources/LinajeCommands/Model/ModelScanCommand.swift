import ArgumentParser
import LinajeDomain
import LinajePluginKit

/// `linaje model scan`
struct ModelScanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan", abstract: "Look at models on disk: what they are, what loading runs.",
        discussion: """
            Says of files and folders what `linaje model show` says of a version: flavors, signature, \
            tensors, findings, and whether loading runs code (safe, unknown, dangerous). Nothing is \
            run, stored or registered, and no daemon is needed: the flavors in the box look, locked \
            up. Links to files are followed. Ends with 3 when a verdict is dangerous, or as bad as \
            --fail-on says.

            EXAMPLES
              linaje model scan downloads/model.pt
              linaje model scan ./model --json
              linaje model scan weights/*.pkl --fail-on unknown
            """)

    /// Which verdict makes the command end with 3.
    enum Limit: String, ExpressibleByArgument, CaseIterable {
        case unknown, dangerous, never

        func isReached(by verdict: ScanVerdict?) -> Bool {
            switch self {
            case .unknown: (verdict ?? .safe) >= .unknown
            case .dangerous: verdict == .dangerous
            case .never: false
            }
        }
    }

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Files and folders; each is a model of its own.", completion: .file())
    var paths: [String]
    @Option(help: "End with 3 when a verdict is at least so bad.")
    var failOn: Limit = .dangerous

    func run() async throws {
        let sources = try await BlockingThread.run { [paths] in
            try paths.map { try FolderModelSource.look(at: $0, followsLinks: true) }
        }
        let host = try PluginPackage.host()
        let bar = StepBar(isQuiet: options.json)
        var worst: ScanVerdict?
        for (path, source) in zip(paths, sources) {
            bar.draw("looking at \(printable(path))")
            let description = await Self.describe(source, host)
            bar.clear()
            worst = [worst, description.verdict].compactMap(\.self).max()
            show(path, description, isFirst: path == paths.first)
        }
        guard failOn.isReached(by: worst) else { return }
        Output.flush()
        throw ExitCode(ExitCodes.differs)
    }

    /// What is in the way of looking becomes a finding: a model that was not looked at is not safe.
    private static func describe(
        _ source: FolderModelSource, _ host: String
    ) async -> ModelDescription {
        // One for each model: what one makes of a process is not the next one's.
        let process = PluginProcess(executable: host, arguments: [])
        var description: ModelDescription
        do {
            description = try await process.describe(source)
        } catch {
            let reason = (error as? LinajeError)?.message ?? "\(error)"
            description = ModelDescription(
                findings: [
                    Finding(severity: .warning, message: "model was not examined: \(reason)")
                ], verdict: .unknown)
        }
        await process.shutdown()
        guard !source.unseen.isEmpty else { return description }
        description.findings += source.unseen.prefix(10).map {
            Finding(
                severity: .warning, path: $0, message: "it is no file and was not looked at")
        }
        description.verdict = max(description.verdict ?? .unknown, .unknown)
        return description
    }

    private func show(_ path: String, _ description: ModelDescription, isFirst: Bool) {
        if options.json {
            return Output.line(
                JSONValue.object([("path", .string(path)), ("model", description.json)]).text)
        }
        var fields = TextFields()
        fields.add("model", path)
        description.add(to: &fields)
        if description.verdict == nil {
            fields.add("verdict", "none: nothing in it is run when it is loaded")
        }
        if !isFirst { Output.line("") }
        fields.show(options.style)
    }
}
