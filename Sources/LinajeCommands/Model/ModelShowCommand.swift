import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model show`
struct ModelShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a model, a version or a logged model.",
        discussion: """
            EXAMPLES
              linaje model show fraud-detector
              linaje model show models:/fraud-detector/Production
              linaje model show models:/fraud-detector@champion --json
              linaje model show models:/m-ID
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "A model's name, or a models:/ URI.")
    var uri: String

    func run() async throws {
        guard uri.hasPrefix("models:/") else {
            let client = try await options.connect()
            return try await client.registeredModel(uri).show(options)
        }
        let parsed = try ModelURI(parsing: uri)
        let client = try await options.connect()
        switch try await client.resolve(parsed, toLook: true) {
        case .version(let version): version.show(options)
        case .loggedModel(let model): model.show(options)
        }
    }
}
