import ArgumentParser

/// `linaje metric`
struct MetricCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metric", abstract: "Measurements of runs.",
        subcommands: [
            MetricStreamCommand.self, MetricTailCommand.self, MetricHistoryCommand.self,
            MetricSummaryCommand.self, MetricExportCommand.self, MetricImportCommand.self,
        ], aliases: ["metrics"])
}
