import ArgumentParser
import FoundationEssentials
import Glibc
import LinajeDomain
import LinajeHost

/// `linaje run -- COMMAND`
struct RunExecCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a command and record how it ended (the default).",
        discussion: """
            Creates a run, starts the command and waits for it. The run records the code, the \
            machine, exit code or signal, a kill for lack of memory, peak memory, processor time and \
            the last lines of standard error. The command finds its run in LINAJE_RUN_ID: Python's \
            linaje.start_run() joins it, anything else may pipe into "linaje metric stream \
            $LINAJE_RUN_ID".

            What the command writes reaches its outputs at once and unchanged, and is kept as the log of \
            the run, as it is, secrets that it prints too: "linaje run log RUN" shows it. Where our \
            output is a terminal the command finds a terminal; a program that takes the whole screen \
            wants --no-log.

            The command is not harmed by the daemon: while that is away, what is known is kept in \
            $XDG_STATE_HOME/linaje/runs and follows with the next "linaje run", or by "linaje run \
            sync". Signals are passed on. Ends with the command's exit code, 128 and the number of \
            the signal that ended it, 127 when there is no such command, 126 when it cannot be \
            started.

            EXAMPLES
              linaje run -- python train.py --epochs 3
              linaje run --experiment fraud --name baseline --param depth=8 -- ./train.sh
              linaje run -- sh -c 'train | linaje metric stream "$LINAJE_RUN_ID"'
            """)

    @Option(help: "The daemon's socket.", completion: .file())
    var socket: String?
    @Option(help: "The experiment's number or name; else LINAJE_EXPERIMENT, else 0.")
    var experiment: String?
    @Flag(help: "Create the experiment if there is none of that name.")
    var createExperiment = false
    @Option(help: "The run's name.")
    var name = ""
    @Option(help: "The run it is a part of; else LINAJE_RUN_ID.")
    var parent: String?
    @Option(help: "Why the run is made.")
    var purpose = ""
    @Option(name: .customLong("param"), help: "A param KEY=VALUE; may be given again.")
    var params: [String] = []
    @Option(name: .customLong("tag"), help: "A tag KEY=VALUE; may be given again.")
    var tags: [String] = []
    @Flag(help: "Do not keep what the command writes; its standard output is then ours.")
    var noLog = false
    @Argument(parsing: .postTerminator, help: "The command and its arguments, after \"--\".")
    var command: [String] = []

    func validate() throws {
        guard !command.isEmpty else {
            throw ValidationError("Give the command after \"--\": linaje run -- python train.py")
        }
    }

    func run() async throws {
        var environment = ProcessInfo.processInfo.environment
        let facts = try facts(environment)
        let kept = KeptRuns(environment: environment)
        let place = KeptPlace(kept, id: facts.id)
        let reporter = RunReporter(
            facts, socket: socket, environment: environment, kept: kept, place: place)
        environment["LINAJE_RUN_ID"] = facts.id
        if !name.isEmpty { environment["LINAJE_RUN_NAME"] = name }
        // A run that is there when the command begins needs no patience of the command. A daemon
        // that is slow to answer costs it this much at most.
        await Patience.wait(.seconds(1)) { await reporter.create() }
        // Said now, rather than when the training is over.
        if let why = await reporter.whyRefused {
            Output.note(
                "run \(facts.id) is refused: \(why); the command runs all the same, and what is known "
                    + "of it is kept")
        }
        if let path = await reporter.socketForCommand { environment["LINAJE_SOCKET"] = path }
        let log =
            noLog
            ? nil
            : CommandLog(
                try RunID(parsing: facts.id[...]), socket: await reporter.socketForCommand,
                place: place)
        let supervised: SupervisedCommand
        do {
            supervised = try SupervisedCommand(
                command, environment: environment.map { "\($0.key)=\($0.value)" }, log: log)
        } catch {
            let text = String(cString: strerror(error.number))
            Output.error("\(command.first ?? ""): \(text)")
            await finish(reporter, .notStarted(because: text), nil)
            Glibc.exit(error.number == ENOENT ? 127 : 126)
        }
        // Unstructured, because nobody waits for it to its end: the process ends when the command has.
        Task { await reporter.captureAndDeliver() }
        let sender = Task { await log?.send() }
        let outcome = await supervised.outcome()
        await log?.finishTaking()
        sender.cancel()
        // A call to a daemon that hangs is not waited for; sending twice does no harm.
        await Patience.wait(.milliseconds(200)) { await sender.value }
        await finish(reporter, outcome, log)
        Output.flush()
        Glibc.exit(outcome.exitCode)
    }

    /// Delivers the end, for a short time; what could not be delivered is kept.
    private func finish(
        _ reporter: RunReporter, _ outcome: CommandOutcome, _ log: CommandLog?
    ) async {
        await reporter.note(outcome)
        // Whoever follows the log sees its last words before the end.
        if let log { await Patience.wait(log.patience) { await log.sendRest() } }
        await Patience.wait(.seconds(5)) { await reporter.deliverEnd() }
        // A run that only its end has made takes the log only now.
        if let log, await reporter.wasDelivered {
            await Patience.wait(.seconds(3)) { await log.sendRest() }
        }
        var isLogKept = false
        switch log?.keepRest() {
        case .kept: isLogKept = true
        case .lost(let why): Output.note("a part of the log of the run \(why)")
        case .nothing, nil: break
        }
        guard let kept = await reporter.keepRest(log: isLogKept) else { return }
        Output.note(kept)
    }

    private func facts(_ environment: [String: String]) throws -> RunFacts {
        let parent = try (parent ?? environment["LINAJE_RUN_ID"].flatMap { $0.isEmpty ? nil : $0 })
            .map { try Arguments.run($0) }
        _ = try Arguments.params(params)
        let provenance: Provenance = {
            var found = MachineFacts.capture(command: command, environment: environment)
            found.purpose = purpose
            return found
        }()
        return RunFacts(
            id: "\(RunID.timeOrdered())",
            experiment: experiment ?? environment["LINAJE_EXPERIMENT"] ?? "0",
            createsExperiment: createExperiment, name: name, user: provenance.user,
            parent: parent.map { "\($0)" }, purpose: purpose, startedAt: SystemClock().now(),
            tags: try Arguments.tags(tags), params: params, provenance: provenance)
    }
}
