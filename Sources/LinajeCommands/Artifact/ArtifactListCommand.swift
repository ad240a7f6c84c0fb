import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje artifact ls`
struct ArtifactListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List stored files.",
        discussion: """
            EXAMPLES
              linaje artifact ls runs:/RUN
              linaje artifact ls models:/fraud-detector/2 --recursive
            """, aliases: ["list"])

    @OptionGroup var options: GlobalOptions
    @Argument(help: "runs:/ID/path, models:/NAME/3, models:/m-ID or tree:sha256:HEX.")
    var uri: String
    @Flag(name: [.short, .long], help: "List all files below, rather than the next level.")
    var recursive = false

    func run() async throws {
        let root = try ContentURI(parsing: uri)
        let client = try await options.connect()
        let entries = try await client.all { page in
            try await client.artifacts(of: root, recursive: recursive, page: page).entries
        }
        if options.json {
            return Output.line(JSONValue.array(entries.map(\.json)).text)
        }
        var table = TextTable([
            ("kind", .left), ("size", .right), ("sha-256", .left), ("path", .left),
        ])
        for entry in entries {
            table.add([
                entry.kind.rawValue, entry.size.description,
                entry.sha256.map { Rendering.short($0) } ?? "",
                entry.path.text + (entry.kind == .folder ? "/" : ""),
            ])
        }
        table.show(options.style, empty: "no files")
    }
}

extension ArtifactEntry {
    fileprivate var json: JSONValue {
        .object([
            ("path", .string(path.text)), ("kind", .string(kind.rawValue)),
            ("size", .uint(size.bytes)), ("sha256", .optional(sha256.map { "\($0)" })),
        ])
    }
}
