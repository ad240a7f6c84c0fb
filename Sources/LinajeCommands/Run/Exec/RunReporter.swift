import FoundationEssentials
import Glibc
import LinajeClient
import LinajeDomain
import LinajeHost

/// Tells the daemon of the run of a command while the command runs, and keeps what it could not.
actor RunReporter {
    private var facts: RunFacts
    private let socket: String?
    private let environment: [String: String]
    private let kept: KeptRuns?
    private let keptPlace: KeptPlace
    private var client: LinajeClient?
    /// Deliveries are one after the other, although each waits for the daemon.
    private var isDelivering = false
    /// Whether everything that takes time to find out was found out.
    private var isCaptured = false
    private var hasEnded = false
    private var isDelivered = false
    /// Why the daemon refuses the run.
    private var refusal: LinajeError?

    init(
        _ facts: RunFacts, socket: String?, environment: [String: String], kept: KeptRuns?,
        place: KeptPlace
    ) {
        self.facts = facts
        self.socket = socket.map { $0.hasPrefix("/") ? $0 : Self.currentFolder + "/" + $0 }
        self.environment = environment
        self.kept = kept
        keptPlace = place
    }

    /// The socket that the command should use; `nil`: it finds the same one by itself.
    var socketForCommand: String? { client?.daemon.socket ?? socket }

    /// Whether the daemon knows the run and its end.
    var wasDelivered: Bool { isDelivered }

    /// Why the daemon does not take the run; `nil`: it does, or could not be asked.
    var whyRefused: String? { refusal?.message }

    /// Tries once to create the run. When that fails, what is known is kept from now on, so that the
    /// run is known whatever becomes of us.
    func create() async {
        await attempt()
        if !facts.isCreated { save() }
    }

    /// Finds out what takes time to find out, tells it, and goes on trying until everything known so
    /// far is told or the command has ended. Then tells what earlier ones have left.
    func captureAndDeliver() async {
        await capture()
        isCaptured = true
        var pause = Duration.milliseconds(100)
        while !hasEnded, refusal == nil {
            await attempt()
            if facts.isCreated, !facts.hasNews { break }
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(1))
        }
        if let client, let kept, !hasEnded {
            _ = await RunSyncCommand.deliver(kept.left(), to: client)
        }
    }

    /// The command has ended.
    func note(_ outcome: CommandOutcome) {
        if outcome.end.reason == .notStarted { isCaptured = true }
        facts.end = RunFacts.End(
            status: outcome.status, cause: outcome.cause, process: outcome.end,
            at: outcome.endedAt)
        hasEnded = true
    }

    /// Tries to tell the end until that is done or the task is cancelled. A daemon that is not there
    /// is given a moment: it may be starting anew. A command may end before everything about its
    /// making was found out: that is given a moment too.
    func deliverEnd() async {
        let begin = ContinuousClock.now
        // What was refused of its making does not keep its end from being told.
        refusal = nil
        while !isCaptured, begin.duration(to: .now) < .seconds(3) {
            try? await Task.sleep(for: .milliseconds(5))
        }
        let patience = Duration.seconds(facts.isCreated ? 5 : 1)
        while !Task.isCancelled, !isDelivered, refusal == nil {
            if !isDelivering { await attempt() }
            if isDelivered || begin.duration(to: .now) > patience { return }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Keeps what the daemon has not taken; says so, or `nil` when there is nothing to keep.
    ///
    /// - Parameter log: whether something of the command's log waits in the place.
    func keepRest(log: Bool) -> String? {
        guard !isDelivered else {
            // Also when only the end of the log did not fit: what was kept before it is there.
            guard log || place?.hasLog ?? false else {
                place?.remove()
                return nil
            }
            place?.removeFacts()
            return
                "a part of the log of run \(facts.id) could not be told to the daemon; it is kept in "
                + "\(place?.path ?? "") and follows with the next \"linaje run\", or by "
                + "\"linaje run sync\""
        }
        let why = refusal.map { "was refused: \($0.message)" } ?? "could not be told to the daemon"
        guard save() else {
            return "run \(facts.id) \(why); nor could it be kept: it is lost"
        }
        return
            "run \(facts.id) \(why); it is kept in \(place?.path ?? "") and follows with the next "
            + "\"linaje run\", or by \"linaje run sync\""
    }

    private var place: KeptRuns.Place? { keptPlace.existing }

    private func attempt() async {
        guard !isDelivering, !isDelivered else { return }
        isDelivering = true
        defer { isDelivering = false }
        do {
            let client = try await connection()
            let before = facts
            var told = facts
            defer {
                // What was told before an error is told; what is kept says what is left.
                merge(told, before)
                if place != nil, !isDelivered { save() }
            }
            try await told.deliver(to: client, isOwner: !hasEnded, patch: place?.patch ?? "")
            isDelivered = told.end != nil
        } catch let error as LinajeError {
            if error.isRetryable { return }
            refusal = error
        } catch {}
    }

    /// What became known while it was told stays to be told.
    private func merge(_ told: RunFacts, _ before: RunFacts) {
        facts.isCreated = told.isCreated
        if before.hasPatch { facts.hasPatch = told.hasPatch }
        if before.hasNews { facts.hasNews = told.hasNews }
    }

    private func connection() async throws -> LinajeClient {
        if let client { return client }
        let new = try await LinajeClient.connect(
            to: socket,
            configuration: ClientConfiguration(
                agent: GlobalOptions.agent, deadline: .seconds(5), attempts: 1))
        client = new
        return new
    }

    private func capture() async {
        let environment = environment
        let (git, gpus) = await Self.blocking {
            let texts = environment.map { "\($0.key)=\($0.value)" }
            return (
                GitCapture.capture(folder: Self.currentFolder, environment: texts),
                MachineFacts.accelerators(environment: texts)
            )
        }
        facts.provenance?.gpus = gpus
        facts.provenance?.git = git?.state
        if let patch = git?.patch, !patch.isEmpty {
            let place = keptPlace.make()
            facts.hasPatch = place != nil && (try? place?.write(patch: patch)) != nil
            if !facts.hasPatch { facts.provenance?.git?.diffArtifact = "" }
        }
        facts.hasNews = true
        if !facts.isCreated { save() }
    }

    @discardableResult
    private func save() -> Bool {
        guard let place = keptPlace.make() else { return false }
        do {
            try place.write(facts)
            return true
        } catch {
            return false
        }
    }

    private static var currentFolder: String { FileManager.default.currentDirectoryPath }

    /// Runs what blocks on a thread of its own.
    private static func blocking<Value: Sendable>(
        _ body: @escaping @Sendable () -> Value
    ) async -> Value {
        await withCheckedContinuation { continuation in
            if !OwnThread.start({ continuation.resume(returning: body()) }) {
                continuation.resume(returning: body())
            }
        }
    }
}
