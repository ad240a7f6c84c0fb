import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje artifact get`
struct ArtifactGetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Fetch a stored file or folder.",
        discussion: """
            Each file is checked against its digest before it gets its name.

            EXAMPLES
              linaje artifact get runs:/RUN/model ./model
              linaje artifact get models:/fraud-detector/Production ./model
              linaje artifact get runs:/RUN/metrics.csv
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "runs:/ID/path, models:/NAME/3, models:/m-ID or tree:sha256:HEX.")
    var uri: String
    @Argument(help: "The file or folder to write.", completion: .file())
    var destination = "."

    func run() async throws {
        let root = try ContentURI(parsing: uri)
        let client = try await options.connect()
        try await Download.run(root, to: destination, client, options)
    }
}

/// What `artifact get` and `model download` have in common.
enum Download {
    static func run(
        _ root: ContentURI, to destination: String, _ client: LinajeClient,
        _ options: GlobalOptions
    ) async throws {
        let bar = ProgressBar("fetching", isQuiet: options.json)
        defer { bar.clear() }
        let got = try await client.download(root, to: destination, observer: bar.observer)
        bar.clear()
        if options.json {
            Output.line(
                JSONValue.object([
                    ("destination", .string(got.destination)), ("files", .count(got.files)),
                    ("size", .uint(got.size.bytes)),
                ]).text)
        } else {
            Output.line(got.destination)
            Output.note("\(Rendering.grouped(got.files)) files, \(got.size), checked")
        }
    }
}
