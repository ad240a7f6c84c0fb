import ArgumentParser
import FoundationEssentials
import LinajeAgent
import LinajeClient
import LinajeDomain

/// `linaje agent`
struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Measure this host for its runs, or follow files into runs.",
        discussion: """
            Without --tensorboard and --jsonl it samples CPU, memory, disk, network, pressure and NVIDIA \
            GPUs, and writes them into each run whose process lives on this host, together with what \
            that run's own processes use. The metrics begin with "system/". A run with the tag \
            linaje.system_metrics=false is left alone.

            With one of them it follows files as they grow: each point arrives exactly once, also when \
            the agent is killed and started again. A run that it has made is RUNNING while its file \
            grows, STALLED when it does not, FINISHED with --once.

            EXAMPLES
              linaje agent
              linaje agent --interval 2 --json
              linaje agent --tensorboard runs/ --experiment fraud --create-experiment
              linaje agent --tensorboard old-runs/ --once
              linaje agent --jsonl metrics.jsonl --run RUN
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: ArgumentHelp("Seconds between two samples of the host.", valueName: "seconds"))
    var interval = 10.0
    @Option(
        help: ArgumentHelp("Follow the TensorBoard event files below it.", valueName: "directory"),
        completion: .directory)
    var tensorboard: String?
    @Option(
        help: ArgumentHelp("Follow a file of JSON lines.", valueName: "file"), completion: .file())
    var jsonl: String?
    @Option(
        help: """
            The run for all that is followed: the id of one that exists, or a name for one. Without \
            it each directory is a run of its own.
            """)
    var run: String?
    @Option(help: "The experiment of runs that are made: its number or name.")
    var experiment = "0"
    @Flag(help: "Create the experiment if there is none of that name.")
    var createExperiment = false
    @Option(help: ArgumentHelp("Seconds between two looks at files.", valueName: "seconds"))
    var poll = 1.0
    @Flag(help: "Bring over what is in the files, end the runs that were made, and end.")
    var once = false

    func validate() throws {
        guard (0.1...3_600).contains(interval) else {
            throw ValidationError("--interval must be 0.1 to 3600 seconds.")
        }
        guard (0.01...3_600).contains(poll) else {
            throw ValidationError("--poll must be 0.01 to 3600 seconds.")
        }
        guard tensorboard == nil || jsonl == nil else {
            throw ValidationError("--tensorboard and --jsonl exclude each other; start two agents.")
        }
        guard tensorboard != nil || jsonl != nil || run == nil && !once && !createExperiment else {
            throw ValidationError(
                "--run, --once and --create-experiment go with --tensorboard or --jsonl.")
        }
    }

    func run() async throws {
        let program = AgentProgram(json: options.json)
        try await program.run { stop in
            if let tensorboard {
                try await follow(try Self.absolute(tensorboard), stop, program) {
                    try await TensorBoardFollower(
                        $0, $1, client: $2, report: $3, stop: stop
                    ).run()
                }
            } else if let jsonl {
                try await follow(try Self.absolute(jsonl), stop, program) {
                    try await JSONLinesFollower(
                        $0, $1, client: $2, report: $3, stop: stop
                    ).run()
                }
            } else {
                try await measure(stop, program)
            }
        }
    }

    /// Measures the host for its runs.
    private func measure(_ stop: StopSignal, _ program: AgentProgram) async throws {
        guard
            let asking = try await program.connect(
                to: options.socket, stop: stop, waits: true, patience: .zero),
            let sending = try await program.connect(
                to: options.socket, stop: stop, waits: true, patience: .seconds(60))
        else { return }
        program.ready("measuring this host for its runs")
        try await HostAgent(
            interval: .seconds(interval), asking: asking, sending: sending, stop: stop
        ) { program.tell($0) }.run()
    }

    private func follow(
        _ path: String, _ stop: StopSignal, _ program: AgentProgram,
        _ body: (String, FollowConfiguration, LinajeClient, FollowReport) async throws -> Void
    ) async throws {
        guard
            let client = try await program.connect(
                to: options.socket, stop: stop, waits: !once, patience: .seconds(60))
        else { return }
        let configuration = FollowConfiguration(
            target: try await target(client), pause: .seconds(poll), once: once)
        let report = FollowReport { program.tell($0) }
        program.ready("following \(path)")
        try await body(path, configuration, client, report)
        program.tell(report.counts)
    }

    private func target(_ client: LinajeClient) async throws -> FollowTarget {
        if let run, let id = try? Arguments.run(run) {
            return .run(try await client.run(id).id)
        }
        let place = try await Arguments.experimentID(
            experiment, creates: createExperiment, client)
        guard let run else { return .bySource(in: place) }
        return .named(try Names.name(run, of: "run"), in: place)
    }

    /// The path from the root on, without "." and "..", and without links in its folder: it names
    /// the source for ever.
    private static func absolute(_ path: String) throws -> String {
        let cut = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        return try LocalPath.absolute(cut)
    }
}
