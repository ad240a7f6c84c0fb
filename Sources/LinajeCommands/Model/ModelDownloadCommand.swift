import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model download`
struct ModelDownloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "download", abstract: "Fetch the files of a model into a folder.",
        discussion: """
            Each file is checked against its digest before it gets its name. What the
            folder has already is not fetched.

            EXAMPLES
              linaje model download models:/fraud-detector/Production ./model
              linaje model download models:/fraud-detector@champion ./model
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var download: DownloadFlags
    @Argument(help: "A models:/ URI.")
    var uri: String
    @Argument(help: "The folder to write.", completion: .directory)
    var destination: String

    func run() async throws {
        let model = try ModelURI(parsing: uri)
        let client = try await options.connect(downloadMemory: GlobalOptions.downloadMemory)
        // An alias or stage may move while files are fetched: what it points at now is fetched.
        guard let tree = try await client.resolve(model).tree else {
            throw LinajeError(.incomplete, "\(uri) has no files yet")
        }
        try await Download.run(.tree(tree), to: destination, client, download, options)
    }
}
