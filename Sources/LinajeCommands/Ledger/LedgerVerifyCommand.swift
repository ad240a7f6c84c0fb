import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje ledger verify`
struct LedgerVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Recompute the chain of all changes of the registry.",
        discussion: """
            The daemon recomputes it; with --local this program does too, from the events it \
            lists, and compares. Keep the head hash elsewhere: it vouches for all events before it.
            Ends with 1 when something does not fit.

            EXAMPLES
              linaje ledger verify
              linaje ledger verify --local --json
            """)

    @OptionGroup var options: GlobalOptions
    @Flag(help: "Recompute it here too, instead of trusting the daemon's word.")
    var local = false

    func run() async throws {
        let client = try await options.connect()
        var found = try await client.verifyLedger()
        if local, found.firstBad == 0 { found = try await recompute(client, found) }
        if options.json {
            Output.line(
                JSONValue.object([
                    ("ok", .bool(found.firstBad == 0)), ("events", .uint(found.events)),
                    ("first_bad", .uint(found.firstBad)), ("finding", .string(found.finding)),
                    ("head", .optional(found.head.map { "\($0)" })),
                ]).text)
        } else if found.firstBad == 0 {
            let head = found.head.map { ", head \($0)" } ?? ""
            Output.line("\(Rendering.grouped(found.events)) events fit\(head)")
        } else {
            Output.line("event \(found.firstBad) does not fit: \(printable(found.finding))")
        }
        guard found.firstBad == 0 else { throw ExitCode(ExitCodes.failed) }
    }

    private func recompute(
        _ client: LinajeClient, _ reported: LedgerVerification
    ) async throws -> LedgerVerification {
        var chain = LedgerChain()
        var token = ""
        repeat {
            let page = try await client.events(page: Page(limit: Limits.pageEntries, token: token))
            for event in page.elements {
                // Events that came after the daemon's own count are not compared with it.
                if event.sequence > reported.events { break }
                if let finding = chain.add(event) {
                    return LedgerVerification(
                        events: chain.count, firstBad: event.sequence, finding: finding,
                        head: chain.head)
                }
            }
            token = page.nextPageToken
        } while !token.isEmpty
        guard chain.count == reported.events, chain.head == reported.head else {
            return LedgerVerification(
                events: chain.count, firstBad: chain.count + 1,
                finding: "the events listed are not those the daemon has verified",
                head: chain.head)
        }
        return reported
    }
}
