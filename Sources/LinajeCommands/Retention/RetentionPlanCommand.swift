import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje retention plan`
struct RetentionPlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show what a policy would keep and let go of now.",
        discussion: """
            Changes nothing. Each checkpoint or version is named with the rules that keep it, or why it \
            would go and how many bytes nothing else would need then; chunks that it shares with \
            what stays are counted too. With rules of its own it shows what those would do. The last \
            line has the plan's digest for "linaje retention apply".

            EXAMPLES
              linaje retention plan --experiment fraud
              linaje retention plan --experiment fraud --last 2 --per-run
              linaje retention plan --model fraud-detector --json
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var about: RetentionSubjectOptions
    @OptionGroup var rules: RetentionRuleOptions

    func run() async throws {
        let rules = self.rules.isGiven ? try self.rules.rules() : nil
        let client = try await options.connect()
        let sum = try await RetentionView(options, isPlan: true).show(
            try await client.planRetention(of: try await about.subject(client), rules: rules))
        guard !options.json, rules == nil, let sum, sum.freed > 0 else { return }
        Output.line("to do it: linaje retention apply \(about.text) --plan \(sum.plan)")
    }
}
