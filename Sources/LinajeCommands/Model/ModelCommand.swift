import ArgumentParser

/// `linaje model`
struct ModelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model", abstract: "The registry: models, versions, stages, aliases.",
        subcommands: [
            ModelRegisterCommand.self, ModelShowCommand.self, ModelListCommand.self,
            ModelVersionsCommand.self, ModelStageCommand.self, ModelAliasCommand.self,
            ModelHistoryCommand.self, ModelDownloadCommand.self, ModelCreateCommand.self,
            ModelDescribeCommand.self, ModelTagCommand.self, ModelPolicyCommand.self,
            ModelAcceptCommand.self, ModelDiffCommand.self, ModelDeleteCommand.self,
            ModelScanCommand.self, ModelTestCommand.self, ModelPredictCommand.self,
            ModelServeCommand.self,
        ], aliases: ["models"])
}
