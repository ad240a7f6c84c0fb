import ArgumentParser

/// `linaje run`
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Executions of training code.",
        subcommands: [
            RunListCommand.self, RunShowCommand.self, RunCreateCommand.self,
            RunFinishCommand.self, RunDeleteCommand.self, RunRestoreCommand.self,
        ], aliases: ["runs"])
}
