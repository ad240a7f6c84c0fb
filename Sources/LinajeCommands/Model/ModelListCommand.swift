import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model list`
struct ModelListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List registered models by name.",
        discussion: """
            EXAMPLES
              linaje model list
              linaje model list --contains fraud --json
              linaje model list --filter "tags.team = 'risk'" --order-by "timestamp DESC"
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var search: SearchOptions
    @Option(help: "Only names that contain this text.")
    var contains = ""
    @Option(name: .customLong("tag"), help: "Only with this tag KEY=VALUE; may be given again.")
    var tags: [String] = []
    @Option(help: "Show at most this many.")
    var limit: Int?

    func run() async throws {
        let tags = try Arguments.tags(tags)
        let client = try await options.connect()
        try await search.show(
            options, most: limit, client,
            list: { [contains] terms, page in
                UnreadPage(
                    try await client.registeredModels(
                        containing: contains, tags: tags, search: terms, page: page))
            }, json: \.json, table: show)
    }

    private func show(_ found: [RegisteredModel]) {
        var table = TextTable([
            ("model", .left), ("latest", .right), ("production", .right), ("staging", .right),
            ("aliases", .left), ("updated", .left),
        ])
        for model in found {
            func latest(_ stage: Stage) -> String {
                model.latestVersions.first { $0.stage == stage }.map { "\($0.version)" } ?? ""
            }
            let highest = model.latestVersions.map(\.version).max()
            table.add([
                model.name, highest.map { "\($0)" } ?? "", latest(.production), latest(.staging),
                model.aliasLine, Rendering.shortTime(model.updatedAt),
            ])
        }
        table.show(options.style, empty: "no models")
    }
}
