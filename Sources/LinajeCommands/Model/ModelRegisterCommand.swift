import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model register`
struct ModelRegisterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "register", abstract: "Register the next version of a model.",
        discussion: """
            The model is created if it is not there. A SOURCE that is no URI is a file or folder \
            of this machine, which is stored first.

            EXAMPLES
              linaje model register runs:/RUN/model fraud-detector
              linaje model register models:/m-ID fraud-detector --tag validated=yes
              linaje model register ./model fraud-detector --run RUN
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(
        help: "runs:/ID/path, models:/m-ID, models:/NAME/3, tree:sha256:HEX, or a local path.",
        completion: .file())
    var source: String
    @Argument(help: "The model's name.")
    var name: String
    @Option(help: "The run that made it; as the source says if not given.")
    var run: String?
    @Option(help: "What it is.")
    var description = ""
    @Option(name: .customLong("tag"), help: "A tag KEY=VALUE; may be given again.")
    var tags: [String] = []

    func run() async throws {
        let tags = try Arguments.tags(tags)
        let isURI = ["runs:/", "models:/", "tree:"].contains { source.hasPrefix($0) }
        if isURI { _ = try ContentURI(parsing: source) }
        let client = try await options.connect()
        var named: RunID?
        if let run { named = try await Arguments.run(run, client) }
        let id = named
        var from = source
        if !isURI {
            let bar = ProgressBar("storing", isQuiet: options.json)
            defer { bar.clear() }
            let tree = try await client.upload(source, observer: bar.observer)
            from = ContentURI.tree(tree.digest).description
        }
        let version = try await client.createModelVersion(
            name, source: from, run: id, description: description, tags: tags)
        version.warnOfVerdict()
        Output.line(options.json ? version.json.text : version.uri)
    }
}
