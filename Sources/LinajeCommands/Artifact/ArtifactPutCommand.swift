import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje artifact put`
struct ArtifactPutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Store a file or folder.",
        discussion: """
            All of it is stored, or nothing. Symbolic links inside a folder are stored as links; \
            FIFOs, sockets and devices are refused. Prints the tree's digest, by which it can be \
            named.

            Files that have not changed since this folder was put last (size, times, inode) are not \
            read again; --read-all reads them. What the store knows is never stored twice.

            EXAMPLES
              linaje artifact put model/ --run RUN --path model
              linaje artifact put data.csv
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The file or folder.", completion: .file())
    var path: String
    @Option(help: "The run that gets it; nobody if not given.")
    var run: String?
    @Option(name: .customLong("path"), help: "Where in the run's artifacts it is put.")
    var destination = ""

    @Flag(help: "Read all files, also those that look unchanged.")
    var readAll = false

    func validate() throws {
        if run == nil, !destination.isEmpty { throw ValidationError("--path needs --run.") }
    }

    func run() async throws {
        let id = try run.map { try Arguments.run($0) }
        let place = try TreePath.orRoot(destination)
        let client = try await options.connect(
            uploadMemory: readAll ? nil : GlobalOptions.uploadMemory)
        let bar = ProgressBar("storing", isQuiet: options.json)
        defer { bar.clear() }
        let tree = try await client.upload(path, to: id, at: place, observer: bar.observer)
        bar.clear()
        if options.json {
            Output.line(
                JSONValue.object([
                    ("tree", .string("\(tree.digest)")), ("uri", .string(uri(tree, id, place))),
                    ("files", .uint(tree.files)), ("size", .uint(tree.size.bytes)),
                    ("new_bytes", .uint(tree.newBytes.bytes)),
                ]).text)
        } else {
            Output.line(uri(tree, id, place))
            Output.note(
                "\(Rendering.grouped(tree.files)) files, \(tree.size), \(tree.newBytes) of it new")
        }
    }

    private func uri(_ tree: StoredTree, _ run: RunID?, _ place: TreePath?) -> String {
        guard let run, place != nil else { return ContentURI.tree(tree.digest).description }
        return ContentURI.run(run, path: place).description
    }
}
