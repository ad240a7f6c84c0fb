public import LinajeDomain

/// How a client behaves.
public struct ClientConfiguration: Sendable {
    /// This program's name and version, for people who look at the daemon: "trainer/1.2".
    public var agent: String
    /// How long a unary call may take; `nil`: for ever.
    public var deadline: Duration?
    /// How often a call is made at most when it fails with a retryable error. The idempotency key
    /// is the same each time, so a change is not done twice.
    public var attempts: Int
    /// How long a call or a metric stream goes on trying while the daemon is unavailable: a daemon
    /// that is restarted comes back. A daemon that was never reached is not waited for.
    public var patience: Duration
    /// A folder in which the client remembers which files it has uploaded, so that those that have not
    /// changed since (size, times, inode) are not read again; `nil`: it remembers nothing.
    public var uploadMemory: String?
    /// The same for folders it has downloaded to, so that what stands there is not read again; `nil`: it
    /// reads every file of the right size.
    public var downloadMemory: String?

    public init(
        agent: String = "linaje-swift/\(LinajeVersion.current)",
        deadline: Duration? = .seconds(60), attempts: Int = 4, patience: Duration = .seconds(60),
        uploadMemory: String? = nil, downloadMemory: String? = nil
    ) {
        self.agent = agent
        self.deadline = deadline
        self.attempts = max(1, attempts)
        self.patience = patience
        self.uploadMemory = uploadMemory
        self.downloadMemory = downloadMemory
    }
}

/// How long to wait before trying again: 20 ms, doubled each time up to 1 s, and up to a half more
/// at random, so that many clients of a restarted daemon do not come at once.
struct Backoff {
    private var next = Duration.milliseconds(20)

    mutating func wait() async throws {
        let pause = next
        next = min(next * 2, .seconds(1))
        try await Task.sleep(for: pause + pause * Double.random(in: 0...0.5))
    }
}
