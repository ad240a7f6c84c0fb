/// A deadline has passed.
struct DeadlineExpired: Error {}

/// Runs `body` until `end`. `body` is cancelled then and must return soon.
///
/// - Throws: `DeadlineExpired`, or what `body` throws.
func withDeadline<Value: Sendable>(
    _ end: ContinuousClock.Instant, _ body: @Sendable @escaping () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(until: end, clock: .continuous)
            return nil
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() ?? nil else { throw DeadlineExpired() }
        return value
    }
}
