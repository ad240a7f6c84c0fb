import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje retention show`
struct RetentionShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show the policy of an experiment or a model.",
        discussion: """
            EXAMPLES
              linaje retention show --experiment fraud
              linaje retention show --model fraud-detector --json
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var about: RetentionSubjectOptions

    func run() async throws {
        let client = try await options.connect()
        let found = try await client.retentionPolicies(of: try await about.subject(client))
        for policy in found {
            guard !options.json else {
                Output.line(policy.json.text)
                continue
            }
            Output.line("\(policy.shown()) keeps: \(printable(policy.rules.text))")
            Output.line("applied: \(policy.isAutomatic ? "by the daemon" : "when asked")")
            Output.line(
                "set:     \(Rendering.shortTime(policy.setAt)) by \(printable(policy.principal))")
            Output.line("last:    \(policy.lastApplication?.text ?? "nothing let go of yet")")
        }
    }
}
