import ArgumentParser

/// The root of all commands.
struct LinajeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "linaje",
        abstract: "Versions and lineage of machine learning models.",
        discussion: """
            Talks to the daemon linajed over its socket, which is found by --socket, else \
            LINAJE_SOCKET, else the user's socket, else /run/linaje/linaje.sock.

            EXAMPLES
              linaje status
              linaje run --experiment fraud --create-experiment -- python train.py
              linaje run create --experiment fraud --create-experiment
              python train.py | linaje metric stream RUN
              linaje artifact put model/ --run RUN --path model
              linaje model register runs:/RUN/model fraud-detector
              linaje model stage fraud-detector 2 Production --archive-existing
              linaje lineage models:/fraud-detector/Production

            EXIT CODES
              0 done; 1 the request failed; 2 the command line makes no sense; 69 no daemon is \
            reachable; 75 the same may work later.
            """,
        version: "linaje \(LinajeProgram.version)",
        subcommands: [
            StatusCommand.self, TopCommand.self, ExperimentCommand.self, RunCommand.self,
            MetricCommand.self, AgentCommand.self, DatasetCommand.self, ArtifactCommand.self,
            ModelCommand.self, LineageCommand.self, LedgerCommand.self, RemoteCommand.self,
            PushCommand.self, PullCommand.self, MaintainCommand.self, GarbageCommand.self,
            RetentionCommand.self, FsckCommand.self, BackupCommand.self, RestoreCommand.self,
            ExportCommand.self, ImportCommand.self, PluginCommand.self, DoctorCommand.self,
            BenchCommand.self,
        ])
}
