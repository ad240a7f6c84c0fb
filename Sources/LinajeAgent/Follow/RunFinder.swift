import LinajeClient
import LinajeDomain

/// The run of one source, looked for when it is needed and then remembered.
actor RunFinder {
    private let target: FollowTarget
    private let kind: String
    private let path: String
    private let name: String
    private let client: LinajeClient
    private let report: FollowReport
    private(set) var found: FollowedRun?
    private var heartbeatAt: ContinuousClock.Instant?

    /// How often a run that the agent has made is said to live, while its source grows.
    private static let heartbeat = Duration.seconds(30)

    init(
        _ target: FollowTarget, kind: String, path: String, name: String, _ client: LinajeClient,
        _ report: FollowReport
    ) {
        self.target = target
        self.kind = kind
        self.path = path
        self.name = name
        self.client = client
        self.report = report
    }

    func id(firstTime: Int64?) async throws -> RunID {
        if let found { return found.id }
        let run = try await FollowedRun.find(
            target, kind: kind, path: path, name: name,
            startedAt: firstTime.map { Timestamp(microseconds: $0) }, client)
        if found == nil { report.tell(.run(run.id, name: name, source: path)) }
        found = run
        return run.id
    }

    /// The source has grown.
    func heard() async throws {
        guard let found, found.isOwn else { return }
        if let heartbeatAt, heartbeatAt.duration(to: .now) < Self.heartbeat { return }
        do {
            try await client.heartbeat(found.id)
        } catch let error as LinajeError where error.code == .runNotActive {
            // Somebody has ended it: what is read further is of the time before.
        }
        heartbeatAt = .now
    }

    /// The source was read to its end and nobody waits for more.
    func finish(at time: Int64?) async throws {
        guard let found, found.isOwn else { return }
        _ = try await client.updateRun(
            found.id, status: .finished, endedAt: time.map { Timestamp(microseconds: $0) })
    }
}
