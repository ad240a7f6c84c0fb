import ArgumentParser

/// `linaje run`
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Executions of training code.",
        discussion: """
            With "--" and a command, runs it as a run of its own and records how it ended; \
            "linaje run exec --help" lists the options. Everything after "--" belongs to the command.

            EXAMPLES
              linaje run -- python train.py --epochs 3
              linaje run --experiment fraud --name baseline -- python train.py
              linaje run list --status FAILED
              linaje run log RUN --follow
            """,
        subcommands: [
            RunExecCommand.self, RunListCommand.self, RunShowCommand.self, RunCreateCommand.self,
            RunFinishCommand.self, RunDeleteCommand.self, RunRestoreCommand.self,
            RunSyncCommand.self, RunLogCommand.self, RunWatchCommand.self,
        ], defaultSubcommand: RunExecCommand.self, aliases: ["runs"])
}
