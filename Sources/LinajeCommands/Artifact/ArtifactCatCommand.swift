import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje artifact cat`
struct ArtifactCatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cat", abstract: "Write a stored file to standard output.",
        discussion: """
            EXAMPLES
              linaje artifact cat models:/fraud-detector/2 MLmodel
              linaje artifact cat runs:/RUN/metrics.csv | head
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "runs:/ID/path, models:/NAME/3, models:/m-ID or tree:sha256:HEX.")
    var uri: String
    @Argument(help: "The file below it; not needed when the URI names a file.")
    var path = ""
    @Option(help: "First byte wanted.")
    var offset: UInt64 = 0
    @Option(help: "How many bytes.")
    var length: UInt64?

    func run() async throws {
        let root = try ContentURI(parsing: uri)
        let file = try TreePath.orRoot(path)
        let client = try await options.connect()
        let reading = try await client.read(root, path: file, offset: offset, length: length)
        for try await bytes in reading { Output.bytes(bytes) }
    }
}
