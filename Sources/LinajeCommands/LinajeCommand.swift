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
        version: "linaje 0.1.0",
        subcommands: [
            StatusCommand.self, ExperimentCommand.self, RunCommand.self, MetricCommand.self,
            ArtifactCommand.self, ModelCommand.self, LineageCommand.self, LedgerCommand.self,
            MaintainCommand.self, BenchCommand.self,
        ])
}
