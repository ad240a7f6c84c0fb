import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje retention apply`
struct RetentionApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Do what a plan has shown.",
        discussion: """
            Refuses when the policy would do something else now than the plan has shown: look at a new \
            plan then. An item that is protected at the last moment stays. The ledger keeps an event \
            of each item, with the digest of its tree, by which it can be had back as long as the \
            garbage collection has not removed it. Needs role admin.

            EXAMPLES
              linaje retention plan --experiment fraud
              linaje retention apply --experiment fraud --plan 0a1b…
              linaje gc
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var about: RetentionSubjectOptions
    @Option(help: "The digest that the plan ended with.")
    var plan: String

    func run() async throws {
        guard let digest = SHA256Digest(hex: plan) else {
            throw LinajeError(
                .invalidArgument,
                "plan \"\(plan.prefix(80))\" is no digest; give the 64 digits that linaje retention "
                    + "plan ends with")
        }
        let client = try await options.connect()
        _ = try await RetentionView(options, isPlan: false).show(
            try await client.applyRetention(of: try await about.subject(client), plan: digest))
    }
}
