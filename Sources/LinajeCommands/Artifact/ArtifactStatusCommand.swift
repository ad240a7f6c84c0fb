import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje artifact status`
struct ArtifactStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "What has changed in a folder since it was put last.",
        discussion: """
            Looks at sizes, times and inodes, and reads only files of which these do not tell enough. \
            Asks the daemon whether the tree is still stored. Ends with 0 whether or not something has \
            changed.

            EXAMPLES
              linaje artifact status data/
              linaje artifact status data/ --json
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The file or folder.", completion: .file())
    var path: String

    func run() async throws {
        let client = try await options.connect(uploadMemory: GlobalOptions.uploadMemory)
        guard let changes = try await client.changes(in: path) else {
            throw LinajeError(
                .notFound,
                "\(path) has not been put to this daemon from here; linaje artifact put \(path)")
        }
        options.json ? Output.line(json(changes).text) : show(changes)
    }

    private func json(_ changes: FolderChanges) -> JSONValue {
        func names(_ paths: [TreePath]) -> JSONValue { .array(paths.map { .string($0.text) }) }
        return .object([
            ("tree", .string("\(changes.tree)")), ("stored", .bool(changes.isStored)),
            ("unchanged", .count(changes.unchanged)), ("modified", names(changes.modified)),
            ("added", names(changes.added)), ("deleted", names(changes.deleted)),
        ])
    }

    private func show(_ changes: FolderChanges) {
        for (mark, paths) in [
            ("modified", changes.modified), ("added", changes.added),
            ("deleted", changes.deleted),
        ] {
            for path in paths { Output.line("\(mark)  \(path.text)") }
        }
        let count = changes.modified.count + changes.added.count + changes.deleted.count
        let files = Rendering.grouped(changes.unchanged)
        Output.note(
            count == 0
                ? "\(files) files are as they were put"
                : "\(count) changes, \(files) files are as they were put")
        Output.note(
            changes.isStored
                ? "stored as tree:sha256:\(changes.tree)"
                : "the daemon does not have that tree any more: put it again")
    }
}
