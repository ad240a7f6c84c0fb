import ArgumentParser
import LinajeDomain

/// `linaje experiment`
struct ExperimentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "experiment", abstract: "Groups of runs.",
        subcommands: [
            ExperimentListCommand.self, ExperimentCreateCommand.self, ExperimentShowCommand.self,
            ExperimentDeleteCommand.self, ExperimentRestoreCommand.self,
        ], aliases: ["experiments"])
}

extension Experiment {
    var json: JSONValue {
        .object(
            [
                ("id", .int(id)), ("name", .string(name)),
                ("lifecycle", .string(lifecycle.rawValue)),
            ] + JSONValue.time("created_at", createdAt) + JSONValue.time("updated_at", updatedAt)
                + [("tags", .tags(tags))])
    }

    func show(_ options: GlobalOptions) {
        if options.json { return Output.line(json.text) }
        var fields = TextFields()
        fields.add("experiment", "\(id)")
        fields.add("name", name)
        fields.add("state", lifecycle.rawValue)
        fields.add("created", Rendering.time(createdAt))
        fields.add("updated", Rendering.time(updatedAt))
        fields.add("tags", Rendering.tags(tags))
        fields.show(options.style)
    }
}
