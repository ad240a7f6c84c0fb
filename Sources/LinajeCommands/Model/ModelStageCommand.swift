import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model stage`
struct ModelStageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stage", abstract: "Move a version to a stage.",
        discussion: """
            EXAMPLES
              linaje model stage fraud-detector 2 Production --archive-existing
              linaje model stage fraud-detector 1 Production --comment "2 drifts, back to 1"
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The model's name.")
    var name: String
    @Argument(help: "The version's number.")
    var version: UInt64
    @Argument(
        help: "None, Staging, Production or Archived, in any case.",
        completion: .list(Stage.allCases.map(\.rawValue)))
    var stage: String
    @Flag(help: "Move the other versions of that stage to Archived.")
    var archiveExisting = false
    @Option(help: "Why, for the history.")
    var comment = ""

    func run() async throws {
        let stage = try Stage(parsing: stage)
        let client = try await options.connect()
        let moved = try await client.transition(
            name, version, to: stage, archiveExisting: archiveExisting, comment: comment)
        if moved.stage.isExclusive { moved.warnOfVerdict() }
        Output.line(options.json ? moved.json.text : "\(moved.uri) \(moved.stage.rawValue)")
    }
}
