import LinajeDomain
import Synchronization

/// A plugin that runs in a process of its own: what the daemon holds of it.
///
/// The executable is started when it is first needed, serves many requests one after the other, and
/// is started again after a crash, with growing waits. It gets no files and no environment, and a
/// crash, a hang or nonsense is a `pluginFailed` error of that one call.
public actor PluginProcess {
    private let executable: String
    private let arguments: [String]
    let configuration: PluginProcessConfiguration
    /// What is said to a process after the greeting.
    private let prepare: (@Sendable (PluginSession) async throws -> Void)?
    private nonisolated let identity: Mutex<PluginDescriptor>
    /// Where starting a process and waiting for its end block.
    private let lane = BlockingLane()

    private var session: PluginSession?
    private var greeting: PluginSession.Greeting?
    /// How often the process was started: what one life knows is nothing to the next.
    private(set) var life: UInt64 = 0
    private var failures = 0
    private var notBefore = ContinuousClock.now
    /// When the process last answered.
    private var lastAnswer = ContinuousClock.now
    private var isShutDown = false

    /// Finishing it stops the request under way.
    private var underWay: AsyncStream<Never>.Continuation?
    private var isBusy = false
    private var waiters: [(id: UInt64, continuation: CheckedContinuation<Void, any Error>)] = []
    private var nextWaiter: UInt64 = 0
    /// Waiters whose turn has come and that do not know it yet: one may have given up meanwhile.
    private var granted: Set<UInt64> = []

    /// - Parameters:
    ///   - executable: Absolute path of the program.
    ///   - name: What errors call it; by default the program's file name.
    public init(
        executable: String, arguments: [String] = [], name: String? = nil,
        configuration: PluginProcessConfiguration = PluginProcessConfiguration()
    ) {
        let fileName = executable.split(separator: "/").last.map(String.init) ?? executable
        self.init(
            executable, arguments,
            PluginDescriptor(name: name ?? fileName, kind: .modelFlavor, version: ""),
            configuration, prepare: nil)
    }

    private init(
        _ executable: String, _ arguments: [String], _ descriptor: PluginDescriptor,
        _ configuration: PluginProcessConfiguration,
        prepare: (@Sendable (PluginSession) async throws -> Void)?
    ) {
        self.executable = executable
        self.arguments = arguments
        self.configuration = configuration
        self.prepare = prepare
        identity = Mutex(descriptor)
    }

    /// A plugin that is locked up when it starts.
    ///
    /// - Parameters:
    ///   - program: Absolute path of the plugin's program.
    ///   - host: Absolute path of `linaje-flavor-host`, which locks it up.
    ///   - memory: Its address space in bytes; `nil`: as much as the host gives by itself.
    public init(
        confined program: String, of manifest: PluginManifest, by host: String,
        memory: UInt64? = nil,
        configuration: PluginProcessConfiguration = PluginProcessConfiguration()
    ) {
        self.init(
            confined: program, of: manifest, by: host, memory: memory,
            configuration: configuration, prepare: nil)
    }

    /// - Parameter prepare: Says to a process what it must know, after the greeting.
    init(
        confined program: String, of manifest: PluginManifest, by host: String, memory: UInt64?,
        configuration: PluginProcessConfiguration,
        prepare: (@Sendable (PluginSession) async throws -> Void)?
    ) {
        let descriptor = PluginDescriptor(
            name: manifest.descriptor.name, kind: manifest.descriptor.kind, version: "")
        self.init(
            host, Self.confinement(of: program, manifest, memory: memory), descriptor,
            configuration, prepare: prepare)
    }

    /// What the flavor host is told to lock a plugin's program up.
    static func confinement(
        of program: String, _ manifest: PluginManifest, memory: UInt64?
    ) -> [String] {
        let bound = memory.map { ["--memory", "\($0)"] } ?? []
        let network = manifest.network ? ["--network"] : []
        let reads = manifest.readable.flatMap { ["--read", $0] }
        return ["confine"] + network + bound + reads + ["--", program]
    }

    /// The name given to it; the version is empty until the process has said it.
    public nonisolated var descriptor: PluginDescriptor { identity.withLock { $0 } }

    /// Starts the process unless it runs.
    ///
    /// - Returns: The names of its flavors, in the order they are asked.
    /// - Throws: `pluginFailed`.
    @discardableResult
    public func start() async throws -> [String] {
        let end = ContinuousClock.now + configuration.handshake
        _ = try await exclusively(until: end) { try await $0.running(until: end) }
        return greeting?.flavors ?? []
    }

    /// Ends the process. Calls under way and later ones throw.
    public func shutdown() async {
        isShutDown = true
        for waiter in waiters { waiter.continuation.resume(throwing: shutDownError) }
        waiters = []
        underWay?.finish()
        guard let session else { return }
        self.session = nil
        session.kill()
        _ = await session.end(grace: .zero, on: lane)
    }

    // MARK: One call at a time

    /// Runs `body` when no other call runs, in the order of the calls.
    func exclusively<Value: Sendable>(
        until end: ContinuousClock.Instant,
        _ body: (isolated PluginProcess) async throws -> Value
    ) async throws -> Value {
        try await enter(until: end)
        defer { leave() }
        return try await body(self)
    }

    private func enter(until end: ContinuousClock.Instant) async throws {
        guard !isShutDown else { throw shutDownError }
        guard isBusy else {
            isBusy = true
            return
        }
        let id = nextWaiter
        nextWaiter += 1
        do {
            try await withDeadline(end) { try await self.wait(id) }
            granted.remove(id)
        } catch {
            if granted.remove(id) != nil { leave() }
            guard error is DeadlineExpired else { throw error }
            throw LinajeError(
                .pluginFailed,
                "\(title) is busy with other models; try again later")
        }
    }

    private func wait(_ id: UInt64) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<Void, any Error>) in
                if Task.isCancelled {
                    continuation.resume(throwing: CancellationError())
                } else if isBusy {
                    waiters.append((id, continuation))
                } else {
                    isBusy = true
                    granted.insert(id)
                    continuation.resume()
                }
            }
        } onCancel: {
            // Unstructured because a cancellation handler cannot wait for the actor.
            Task { await self.abandon(id) }
        }
    }

    private func abandon(_ id: UInt64) {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return }
        waiters.remove(at: index).continuation.resume(throwing: CancellationError())
    }

    private func leave() {
        if waiters.isEmpty {
            isBusy = false
        } else {
            let next = waiters.removeFirst()
            granted.insert(next.id)
            next.continuation.resume()
        }
    }

    // MARK: The process

    /// A session that has been greeted.
    func running(until end: ContinuousClock.Instant) async throws -> PluginSession {
        guard !isShutDown else { throw shutDownError }
        if let session {
            do {
                // The ping may show that it ends.
                if await session.isUsable, try await isAwake(session, until: end),
                    await session.isUsable
                {
                    return session
                }
            } catch {
                await drop(session)
                throw error
            }
            guard !isShutDown else { throw shutDownError }
            await drop(session)
        }
        guard notBefore < end else {
            throw LinajeError(
                .pluginFailed,
                "\(title) failed \(failures) times in a row and rests "
                    + "before it is started again; try again later")
        }
        try await Task.sleep(until: notBefore, clock: .continuous)

        let (executable, arguments) = (executable, arguments)
        let started: PluginSession
        do {
            let child = try await lane.run { try ChildProcess.spawn(executable, arguments) }
            started = PluginSession(child, kind: descriptor.kind)
        } catch {
            throw failed("\((error as? LinajeError)?.message ?? "\(error)")", lastLine: "")
        }
        guard !isShutDown else {
            started.kill()
            _ = await started.end(grace: .zero, on: lane)
            throw shutDownError
        }
        session = started
        life += 1
        let handshakeEnd = min(end, ContinuousClock.now + configuration.handshake)
        let prepare = prepare
        let greeting = try await guarding(started, until: handshakeEnd) {
            let greeting = try await started.greet()
            try await prepare?(started)
            return greeting
        }
        self.greeting = greeting
        identity.withLock { $0.version = greeting.version }
        return started
    }

    private func drop(_ session: PluginSession) async {
        self.session = nil
        session.kill()
        _ = await session.end(grace: .zero, on: lane)
    }

    /// Whether a process that has rested answers a ping. One that hangs would cost the next call its whole
    /// deadline, though it has done nothing to deserve it.
    private func isAwake(
        _ session: PluginSession, until end: ContinuousClock.Instant
    ) async throws -> Bool {
        let now = ContinuousClock.now
        guard now - lastAnswer >= configuration.rest else { return true }
        do {
            // What is left must do for a new process.
            try await withDeadline(now + min(configuration.pong, (end - now) / 4)) {
                try await withTaskCancellationHandler {
                    try await session.ping()
                } onCancel: {
                    session.kill()
                }
            }
            lastAnswer = .now
            return true
        } catch {
            try Task.checkCancellation()
            return false
        }
    }

    /// Runs a request on a session; whatever it throws except a refusal ends the process.
    func guarding<Value: Sendable>(
        _ session: PluginSession, until end: ContinuousClock.Instant,
        _ body: @Sendable @escaping () async throws -> Value
    ) async throws -> Value {
        let (stop, continuation) = AsyncStream<Never>.makeStream()
        underWay = continuation
        defer { underWay = nil }
        do {
            let value = try await withDeadline(end, stop: stop) {
                // A read that blocks does not see a cancellation: ending the process ends it.
                try await withTaskCancellationHandler(operation: body) { session.kill() }
            }
            failures = 0
            lastAnswer = .now
            return value
        } catch let refusal as PluginSession.Refusal {
            throw LinajeError(
                refusal.error.code,
                "\(title): \(refusal.error.message)")
        } catch {
            let isCancelled = Task.isCancelled
            let hungUp = error is PluginSession.HungUp || Self.isGone(error)
            if !hungUp { session.kill() }
            self.session = nil
            let (exit, lastLine) = await session.end(
                grace: hungUp ? .milliseconds(500) : .zero, on: lane)
            if isShutDown { throw shutDownError }
            if isCancelled { throw CancellationError() }
            let what =
                switch error {
                case is DeadlineExpired: "did not answer in time and was ended"
                case _ where hungUp: "\(exit) before it had answered"
                case let error as LinajeError: "broke the protocol: \(error.message)"
                default: "failed: \(error)"
                }
            throw failed(what, lastLine: lastLine)
        }
    }

    private static func isGone(_ error: any Error) -> Bool {
        (error as? LinajeError)?.code == .unavailable
    }

    /// Notes a failure and makes an error of it.
    private func failed(_ what: String, lastLine: String) -> LinajeError {
        failures += 1
        notBefore = ContinuousClock.now + configuration.backOff(after: failures)
        let said = lastLine.isEmpty ? "" : "; it said: \(lastLine)"
        return LinajeError(.pluginFailed, "\(title) \(what)\(said)")
    }

    /// What errors call it.
    private nonisolated var title: String {
        let descriptor = descriptor
        let noun = descriptor.kind == .modelFlavor ? "flavor plugin" : "storage plugin"
        return "\(noun) \"\(descriptor.name)\""
    }

    private var shutDownError: LinajeError {
        LinajeError(
            .unavailable,
            "\(title) is shut down, as the daemon is stopping")
    }
}
