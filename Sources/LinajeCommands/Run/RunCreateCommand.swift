import ArgumentParser
import Glibc
import LinajeClient
import LinajeDomain

/// `linaje run create`
struct RunCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a run that stays open until it is finished.",
        discussion: """
            Prints the run's id. Nobody owns the run: end it by "linaje run finish".

            EXAMPLES
              RUN=$(linaje run create --experiment fraud --name baseline --param depth=8)
              linaje run create --experiment new-experiment --create-experiment
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: "The experiment's number or name.")
    var experiment = "0"
    @Flag(help: "Create the experiment if there is none of that name.")
    var createExperiment = false
    @Option(help: "The run's name.")
    var name = ""
    @Option(help: "The run it is a part of.")
    var parent: String?
    @Option(help: "Who it runs for; this user if not given.")
    var user: String?
    @Option(name: .customLong("param"), help: "A param KEY=VALUE; may be given again.")
    var params: [String] = []
    @Option(name: .customLong("tag"), help: "A tag KEY=VALUE; may be given again.")
    var tags: [String] = []

    func run() async throws {
        var new = NewRun(name: name)
        new.params = try Arguments.params(params)
        new.tags = try Arguments.tags(tags)
        new.user = user ?? Self.thisUser
        let client = try await options.connect()
        if let parent { new.parentID = try await Arguments.run(parent, client) }
        new.experimentID = try await Arguments.experimentID(
            experiment, creates: createExperiment, client)
        let run = try await client.createRun(new)
        Output.line(options.json ? run.json.text : "\(run.id)")
    }

    /// What the environment calls this user, else the system.
    private static var thisUser: String {
        let machine = LocalMachine()
        if let said = machine.environment["USER"], !said.isEmpty { return said }
        return machine.userName(getuid())
    }
}
