import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model versions`
struct ModelVersionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "versions", abstract: "List the versions of a model, or of all, newest first.",
        discussion: """
            EXAMPLES
              linaje model versions fraud-detector
              linaje model versions fraud-detector --stage Production --json
              linaje model versions --filter "stage = 'Production' AND tags.team = 'risk'"
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var search: SearchOptions
    @Argument(help: "The model's name; none: the versions of all models.")
    var name: String?
    @Option(name: .customLong("stage"), help: "Only in this stage; may be given again.")
    var stages: [String] = []
    @Option(help: "Only from this run.")
    var run: String?
    @Option(help: "Show at most this many.")
    var limit: Int?

    func run() async throws {
        let stages = try stages.map { try Stage(parsing: $0) }
        let client = try await options.connect()
        var named: RunID?
        if let run { named = try await Arguments.run(run, client) }
        let id = named
        // A model without versions and a model that does not exist are not the same.
        if let name { _ = try await client.registeredModel(name) }
        try await search.show(
            options, most: limit, client,
            list: { [name] terms, page in
                UnreadPage(
                    try await client.modelVersions(
                        of: name ?? "", run: id, stages: stages, search: terms, page: page))
            }, json: \.json, table: show)
    }

    private func show(_ found: [ModelVersion]) {
        var table = TextTable(ModelVersion.columns)
        for version in found { table.add(version.row) }
        table.show(options.style, empty: "no versions")
    }
}
