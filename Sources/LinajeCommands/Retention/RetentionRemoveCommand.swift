import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje retention remove`
struct RetentionRemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove the policy of an experiment or a model.",
        discussion: """
            Everything is kept then. What the policy let go of does not come back by that. Needs \
            role admin.

            EXAMPLES
              linaje retention remove --experiment fraud
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var about: RetentionSubjectOptions

    func run() async throws {
        let client = try await options.connect()
        let subject = try await about.subject(client)
        try await client.removeRetention(of: subject)
        if options.json {
            Output.line(JSONValue.object([("removed", .string("\(subject)"))]).text)
        } else {
            Output.line("\(printable("\(subject)")) has no retention policy any more")
        }
    }
}
