/// A deadline has passed.
struct DeadlineExpired: Error {}

/// Somebody ended the wait.
struct Stopped: Error {}

/// Runs `body` until `end`, or until `stop` finishes. `body` is cancelled then and must return
/// soon.
///
/// - Throws: `DeadlineExpired`, `Stopped`, or what `body` throws.
func withDeadline<Value: Sendable>(
    _ end: ContinuousClock.Instant, stop: AsyncStream<Never>? = nil,
    _ body: @Sendable @escaping () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(until: end, clock: .continuous)
            return nil
        }
        if let stop {
            group.addTask {
                for await _ in stop {}
                try Task.checkCancellation()
                throw Stopped()
            }
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() ?? nil else { throw DeadlineExpired() }
        return value
    }
}
