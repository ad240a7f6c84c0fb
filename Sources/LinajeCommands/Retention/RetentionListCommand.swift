import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje retention list`
struct RetentionListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the policies.",
        discussion: """
            EXAMPLES
              linaje retention list
              linaje retention list --json
            """, aliases: ["ls"])

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let policies = try await options.connect().retentionPolicies()
        guard !options.json else {
            return Output.line(JSONValue.array(policies.map(\.json)).text)
        }
        var table = TextTable([
            ("of", .left), ("keeps", .left), ("applied", .left), ("last", .left),
        ])
        for policy in policies {
            table.add([
                policy.shown(), printable(policy.rules.text),
                policy.isAutomatic ? "by the daemon" : "when asked",
                policy.lastApplication?.text ?? "",
            ])
        }
        table.show(options.style, empty: "no retention policies")
    }
}
