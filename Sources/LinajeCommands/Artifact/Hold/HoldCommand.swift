import ArgumentParser
import LinajeDomain

/// `linaje artifact hold`
struct HoldCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hold", abstract: "Keep content whatever becomes of its run or model.",
        discussion: """
            What is held is not collected, also when the run or the model version that it came \
            with is deleted for good. The ledger keeps who placed and lifted which hold.

            EXAMPLES
              linaje artifact hold add models:/fraud-detector/2 --reason "case 4711"
              linaje artifact hold list
              linaje artifact hold remove tree:sha256:0a1b…
            """, subcommands: [HoldAddCommand.self, HoldRemoveCommand.self, HoldListCommand.self],
        aliases: ["holds"])
}

extension Hold {
    var json: JSONValue {
        .object(
            [("tree", .string("\(tree)")), ("reason", .string(reason))]
                + [("principal", .string(principal))] + JSONValue.time("placed_at", placedAt))
    }
}
