import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model alias`
struct ModelAliasCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alias", abstract: "Point an alias at a version, or remove it.",
        discussion: """
            With --expect the alias only moves if it points at that version now (0: if it does \
            not exist); otherwise the command fails and nothing changes.

            EXAMPLES
              linaje model alias fraud-detector champion 3
              linaje model alias fraud-detector champion 4 --expect 3
              linaje model alias fraud-detector champion --delete
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The model's name.")
    var name: String
    @Argument(help: "The alias.")
    var alias: String
    @Argument(help: "The version it shall point at.")
    var version: UInt64?
    @Option(help: "Only if it points at this version now; 0: only if it does not exist.")
    var expect: UInt64?
    @Flag(help: "Remove the alias.")
    var delete = false

    func validate() throws {
        guard delete == (version == nil) else {
            throw ValidationError("Give a version, or --delete.")
        }
        if delete, expect != nil {
            throw ValidationError("--expect and --delete do not go together.")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        if let version {
            let expecting: AliasExpectation =
                expect.map { $0 == 0 ? .absent : .version($0) } ?? .any
            try await client.setAlias(alias, of: name, to: version, expecting: expecting)
            try await client.modelVersion(name, version).warnOfVerdict()
        } else {
            try await client.deleteAlias(alias, of: name)
        }
        if options.json {
            Output.line(
                JSONValue.object([
                    ("name", .string(name)), ("alias", .string(alias)),
                    ("version", version.map { .uint($0) } ?? .null),
                ]).text)
        } else {
            Output.line(
                "models:/\(name)@\(alias) " + (version.map { "→ version \($0)" } ?? "removed"))
        }
    }
}
