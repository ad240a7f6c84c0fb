import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje retention set`
struct RetentionSetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Set the policy of an experiment or a model.",
        discussion: """
            It takes the place of the one that is there, and lets nothing go by itself unless it is \
            --automatic: then the daemon applies it each time before it collects garbage by itself \
            (artifacts.gc_interval, daily). Needs role admin.

            EXAMPLES
              linaje retention set --experiment fraud --best 3 --metric val_auc --maximize
              linaje retention set --experiment llm --last 2 --every-step 10000 --per-run --automatic
              linaje retention set --model fraud-detector --last 10 --max-bytes 20GiB
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var about: RetentionSubjectOptions
    @OptionGroup var rules: RetentionRuleOptions
    @Flag(help: "Let the daemon apply it by itself.")
    var automatic = false

    func validate() throws {
        guard rules.isGiven else {
            throw ValidationError(
                "give at least one of --best, --last, --younger-than, --every-step, --max-bytes")
        }
    }

    func run() async throws {
        let rules = try self.rules.rules()
        let client = try await options.connect()
        let policy = try await client.setRetention(
            of: try await about.subject(client), rules, automatic: automatic)
        guard !options.json else { return Output.line(policy.json.text) }
        Output.line("\(policy.shown()) keeps: \(printable(policy.rules.text))")
        Output.line(
            automatic
                ? "the daemon applies it; see what would go: linaje retention plan \(about.text)"
                : "see what would go: linaje retention plan \(about.text)")
    }
}
