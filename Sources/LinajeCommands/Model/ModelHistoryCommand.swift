import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model history`
struct ModelHistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show what was done to a model, oldest first.",
        discussion: """
            EXAMPLES
              linaje model history fraud-detector
              linaje model history fraud-detector --version 2 --json
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The model's name.")
    var name: String
    @Option(help: "Only this version.")
    var version: UInt64 = 0

    func run() async throws {
        let client = try await options.connect()
        let events = try await client.all { page in
            try await client.events(model: name, version: version, page: page)
        }
        if events.isEmpty, version == 0 { _ = try await client.registeredModel(name) }
        EventList(events).show(options)
    }
}
