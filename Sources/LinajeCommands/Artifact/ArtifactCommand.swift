import ArgumentParser

/// `linaje artifact`
struct ArtifactCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "artifact", abstract: "Files of runs and models.",
        subcommands: [
            ArtifactPutCommand.self, ArtifactGetCommand.self, ArtifactListCommand.self,
            ArtifactCatCommand.self, ArtifactStatusCommand.self, HoldCommand.self,
        ], aliases: ["artifacts"])
}
