import ArgumentParser
import Glibc
import LinajeClient
import LinajeDomain

/// `linaje artifact put`
struct ArtifactPutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put", abstract: "Store a file or folder.",
        discussion: """
            All of it is stored, or nothing. Symbolic links inside a folder are stored as links; \
            FIFOs, sockets and devices are refused. Prints where it is: runs:/RUN/… with --run, else the \
            tree's digest, by which it can be named.

            Files that have not changed since this folder was put last (size, times, inode) are not \
            read again; --read-all reads them. What the store knows is never stored twice.

            EXAMPLES
              linaje artifact put model/ --run RUN --path model
              linaje artifact put data.csv
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The file or folder.", completion: .file())
    var path: String
    @Option(help: "The run whose artifacts it becomes; none if not given.")
    var run: String?
    @Option(
        name: .customLong("path"),
        help: """
            The folder of the run's artifacts that gets it. Without it a file stands at their top by its \
            name, and so does what is in a folder.
            """)
    var destination = ""

    @Flag(help: "Read all files, also those that look unchanged.")
    var readAll = false

    func validate() throws {
        if run == nil, !destination.isEmpty { throw ValidationError("--path needs --run.") }
    }

    func run() async throws {
        let place = try TreePath.orRoot(destination)
        let client = try await options.connect(
            uploadMemory: readAll ? nil : GlobalOptions.uploadMemory)
        var id: RunID?
        if let run { id = try await Arguments.run(run, client) }
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
        guard let run else { return ContentURI.tree(tree.digest).description }
        return ContentURI.run(run, path: place ?? nameOfFile).description
    }

    /// What a file is called at the top of a run's artifacts; `nil` for a folder.
    private var nameOfFile: TreePath? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else { return nil }
        return path.split(separator: "/").last.flatMap { try? TreePath(String($0)) }
    }
}
