import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje artifact get`
struct ArtifactGetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Fetch a stored file or folder.",
        discussion: """
            Each file is checked against its digest before it gets its name. What the
            folder has already is not fetched: files that look (size, times, inode) as
            when they were written there, and files with the same content. So the same
            command goes on after an interruption.

            A destination that is named gets what is fetched: files of the same names that
            differ are replaced. Without one a file goes into the current folder and a folder
            into a new one there (models:/iris/1 into iris-1), and nothing is replaced that an
            earlier get has not written, unless with --force.

            EXAMPLES
              linaje artifact get runs:/RUN/model ./model
              linaje artifact get models:/fraud-detector/Production ./model
              linaje artifact get models:/fraud-detector/Production ./model --exact
              linaje artifact get runs:/RUN/metrics.csv
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var download: DownloadFlags
    @Argument(help: "runs:/ID/path, models:/NAME/3, models:/m-ID or tree:sha256:HEX.")
    var uri: String
    @Argument(
        help: "The file or folder to write; without it one of the same name.", completion: .file())
    var destination: String?
    @Flag(help: "Without a destination: replace files that differ, whoever has written them.")
    var force = false

    func validate() throws {
        guard !download.exact || destination != nil else {
            throw ValidationError("--exact removes files from the folder; name it")
        }
    }

    func run() async throws {
        let root = try ContentURI(parsing: uri)
        let client = try await options.connect(downloadMemory: GlobalOptions.downloadMemory)
        try await Download.run(
            root, to: destination, client, download, options,
            replaces: force || destination != nil)
    }
}

/// How a folder is fetched.
struct DownloadFlags: ParsableArguments {
    @Flag(help: "Read every file that is there already, whatever its size and times say.")
    var verify = false
    @Flag(help: "Remove from the folder what is not in what is fetched.")
    var exact = false
    @Option(
        help: """
            With "hard" files are written read-only, and those that an earlier get with --link hard has \
            written elsewhere on the same file system become other names of these.
            """)
    var link: LinkKind?

    /// How files may share their bytes.
    enum LinkKind: String, ExpressibleByArgument {
        case hard
    }

    var options: DownloadOptions {
        DownloadOptions(verify: verify, exact: exact, hardLinks: link == .hard)
    }
}

/// What `artifact get` and `model download` have in common.
enum Download {
    static func run(
        _ root: ContentURI, to destination: String?, _ client: LinajeClient,
        _ flags: DownloadFlags, _ options: GlobalOptions, replaces: Bool = true
    ) async throws {
        let bar = ProgressBar("fetching", isQuiet: options.json)
        defer { bar.clear() }
        var wanted = flags.options
        wanted.replaces = replaces
        let got = try await client.download(
            root, to: destination, options: wanted, observer: bar.observer)
        bar.clear()
        if options.json {
            Output.line(
                JSONValue.object([
                    ("destination", .string(got.destination)), ("files", .count(got.files)),
                    ("size", .uint(got.size.bytes)), ("unchanged", .count(got.unchanged)),
                    ("linked", .count(got.linked)), ("removed", .count(got.removed)),
                ]).text)
        } else {
            Output.line(got.destination)
            var note = "\(Rendering.grouped(got.files)) files, \(got.size), checked"
            if got.unchanged > 0 {
                note += "; \(Rendering.grouped(got.unchanged)) were there already"
            }
            if got.linked > 0 {
                note += "; \(Rendering.grouped(got.linked)) share bytes with an earlier get"
            }
            if got.removed > 0 { note += "; \(Rendering.grouped(got.removed)) others removed" }
            Output.note(note)
        }
    }
}
