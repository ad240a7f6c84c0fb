import Dispatch

/// Runs calls that may block (files, /proc, drivers) on threads of their own, never on the pool that
/// tasks share.
enum BlockingCalls {
    private static let queue = DispatchQueue(label: "linaje.agent", attributes: .concurrent)

    static func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }
}
