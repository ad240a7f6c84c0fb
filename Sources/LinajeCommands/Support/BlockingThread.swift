import Dispatch

/// Runs a call that blocks for long on a thread of its own.
enum BlockingThread {
    private static let queue = DispatchQueue(
        label: "linaje.blocking", attributes: .concurrent)

    static func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try body() }) }
        }
    }
}
