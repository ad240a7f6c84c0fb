import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje lineage`
struct LineageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lineage", abstract: "Show where a model or a run came from.",
        discussion: """
            EXAMPLES
              linaje lineage models:/fraud-detector/Production
              linaje lineage runs:/RUN --depth 2
              linaje lineage models:/fraud-detector/3 --dot | dot -Tsvg > lineage.svg
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "models:/… or runs:/ID.")
    var uri: String
    @Flag(help: "Print a graph for Graphviz.")
    var dot = false
    @Option(help: "How many steps back.")
    var depth = 0

    func validate() throws {
        if dot, options.json { throw ValidationError("--dot and --json do not go together.") }
        guard (0...Limits.lineageDepth).contains(depth) else {
            throw ValidationError("--depth must be 1 to \(Limits.lineageDepth).")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        let graph = try await client.lineage(of: uri, depth: depth)
        if options.json {
            Output.line(LineageDrawing(graph).json.text)
        } else if dot {
            for line in LineageDrawing(graph).dot { Output.line(line) }
        } else {
            for line in LineageDrawing(graph).tree(options.style) { Output.line(line) }
        }
    }
}
