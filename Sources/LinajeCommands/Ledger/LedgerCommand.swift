import ArgumentParser

/// `linaje ledger`
struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger", abstract: "The chained record of every change of the registry.",
        subcommands: [LedgerVerifyCommand.self, LedgerListCommand.self])
}
