import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model accept`
struct ModelAcceptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept", abstract: "Answer for a version in spite of its verdict.",
        discussion: """
            That lifts what the verdict blocks for this version alone, and is recorded in the \
            history with the reason. Look at its findings first (linaje model show models:/NAME/3): with \
            --tree, which that shows, nobody can put another model in its place meanwhile. Needs role \
            approver.

            EXAMPLES
              linaje model accept models:/fraud-detector/3 --reason "own class, read by Ada"
              linaje model accept models:/fraud-detector/3 --withdraw --reason "see issue 81"
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "A version: models:/NAME/3.")
    var uri: String
    @Option(help: "Why it may be used; with --withdraw, why not any more.")
    var reason: String?
    @Option(help: "What was looked at, tree:sha256:HEX; of anything else nothing is accepted.")
    var tree: String?
    @Flag(help: "Take it back; where the version was promoted to, it stays.")
    var withdraw = false

    func validate() throws {
        guard withdraw || reason != nil else {
            throw ValidationError("Say why it may be used: --reason TEXT.")
        }
    }

    func run() async throws {
        // An alias or stage may move meanwhile: somebody answers for what they have looked at.
        guard case .version(let name, let version) = try ModelURI(parsing: uri) else {
            throw LinajeError(
                .invalidArgument, "\(uri) names no version by its number; use models:/NAME/3")
        }
        let expected = try tree.map(Self.digest)
        let client = try await options.connect()
        let changed = try await client.acceptRisk(
            of: name, version, reason: reason ?? "", withdraw: withdraw, expected: expected)
        guard !options.json else { return Output.line(changed.json.text) }
        let verdict = JudgedAs(changed.model.verdict).rawValue
        Output.line(
            withdraw
                ? "\(changed.uri): verdict \(verdict) blocks \(changed.blocked) again"
                : "\(changed.uri): accepted in spite of verdict \(verdict)")
    }

    private static func digest(_ text: String) throws -> SHA256Digest {
        guard case .tree(let digest) = try ContentURI(parsing: text) else {
            throw LinajeError(.invalidArgument, "--tree \(text) names no tree; use tree:sha256:HEX")
        }
        return digest
    }
}
