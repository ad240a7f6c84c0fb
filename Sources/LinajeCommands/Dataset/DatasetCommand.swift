import ArgumentParser

/// `linaje dataset`
struct DatasetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dataset", abstract: "The data sets that runs used.",
        subcommands: [DatasetListCommand.self], aliases: ["datasets"])
}
