import ArgumentParser

/// `linaje bench`
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure the daemon.",
        subcommands: [
            BenchMetricsCommand.self, BenchHistoryCommand.self, BenchArtifactsCommand.self,
            BenchRegistryCommand.self, BenchConnectionsCommand.self, BenchFillCommand.self,
            BenchSearchCommand.self, BenchPredictCommand.self,
            BenchWorkerCommand.self,
        ])
}
