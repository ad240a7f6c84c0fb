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

            A version with an input example is tried on it, where that needs no Python: what came of \
            it is kept in the tags self_test and self_test.output. With --self-test its own library is \
            used, too, and a failure ends the command with 1; the version is there all the same.

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
    @Flag(
        inversion: .prefixedNo,
        help: "Try it on its input example; only where it needs no Python if not given.")
    var selfTest: Bool?

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
        let created = try await client.createModelVersion(
            name, source: from, run: id, description: description, tags: tags)
        created.warnOfVerdict()
        // Said at once: it is there, however long the test takes.
        if !options.json { Output.lineNow(created.uri) }
        let (version, problem) = await RegistrationTest(
            version: created, folder: isURI ? nil : source, isWanted: selfTest, options: options
        ).run(client)
        if options.json { Output.line(version.json.text) }
        if let problem {
            Output.note(printable(problem))
            if selfTest == true { throw ExitCode(1) }
        }
    }
}
