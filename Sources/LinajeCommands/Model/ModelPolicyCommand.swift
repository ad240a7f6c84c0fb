import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model policy`
struct ModelPolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Show or change what the verdict of a scan blocks.",
        discussion: """
            For each verdict: nothing, promotion (aliases, Staging, Production), registration, \
            loading (by a models:/ name), or several with commas between them; the last two block \
            promotion, too. "default" leaves a verdict to the daemon ([registry.scan_policy] of its \
            configuration). Versions that were promoted stay where they are. Changes need role \
            approver.

            EXAMPLES
              linaje model policy fraud-detector
              linaje model policy fraud-detector --unknown promotion --dangerous registration
              linaje model policy fraud-detector --dangerous loading   # until somebody accepts it
              linaje model policy fraud-detector --reset
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The model's name.")
    var name: String
    @Option(name: .customLong("none"), help: "What having no verdict blocks.")
    var unjudged: String?
    @Option(help: "What the verdict safe blocks.")
    var safe: String?
    @Option(help: "What the verdict unknown blocks.")
    var unknown: String?
    @Option(help: "What the verdict dangerous blocks.")
    var dangerous: String?
    @Flag(help: "Leave every verdict to the daemon.")
    var reset = false

    private var given: [(verdict: JudgedAs, text: String)] {
        [
            (JudgedAs.none, unjudged), (.safe, safe), (.unknown, unknown), (.dangerous, dangerous),
        ].compactMap { verdict, text in text.map { (verdict, $0) } }
    }

    func validate() throws {
        guard !reset || given.isEmpty else {
            throw ValidationError("--reset leaves every verdict to the daemon; give it alone.")
        }
    }

    func run() async throws {
        let changes = try changes()
        let client = try await options.connect()
        let model =
            if let changes {
                try await client.setScanPolicy(of: name, changes)
            } else {
                try await client.registeredModel(name)
            }
        guard !options.json else {
            return Output.line(
                JSONValue.object([("name", .string(model.name)), ("policy", model.policyJSON)]).text
            )
        }
        var table = TextTable([("verdict", .left), ("blocks", .left), ("decided by", .left)])
        for verdict in JudgedAs.allCases {
            table.add([
                verdict.rawValue, model.effectivePolicy.blocked(verdict).description,
                model.scanPolicy[verdict] == nil ? "daemon" : "model",
            ])
        }
        table.show(options.style, empty: "")
    }

    /// `nil`: nothing shall be changed.
    private func changes() throws -> ScanPolicyChanges? {
        guard !reset else { return ScanPolicyChanges(reset: Set(JudgedAs.allCases)) }
        guard !given.isEmpty else { return nil }
        var changes = ScanPolicyChanges()
        for (verdict, text) in given {
            if text == "default" {
                changes.reset.insert(verdict)
            } else {
                changes.set[verdict] = try BlockedUses(parsing: text)
            }
        }
        return changes
    }
}
