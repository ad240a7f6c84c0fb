package import LinajeDomain
import Synchronization

/// A promise about one pack: whether it became durable and visible, once that is known.
///
/// Sessions with a blob in the pack hold it; equal only to itself.
package final class PackTicket: Sendable, Hashable {
    private struct State {
        var outcome: Result<Void, LinajeError>?
        var waiters: [CheckedContinuation<Void, any Error>] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// What became of the pack; `nil` while it is on its way.
    package var outcome: Result<Void, LinajeError>? { state.withLock { $0.outcome } }

    /// Tells everybody who waits; only the first call counts.
    package func complete(_ outcome: Result<Void, LinajeError>) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, any Error>] in
            guard state.outcome == nil else { return [] }
            state.outcome = outcome
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(with: outcome.mapError { $0 }) }
    }

    /// Waits for the outcome.
    package func wait() async throws {
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            let outcome = state.withLock { state -> Result<Void, LinajeError>? in
                if state.outcome == nil { state.waiters.append(continuation) }
                return state.outcome
            }
            if let outcome { continuation.resume(with: outcome.mapError { $0 }) }
        }
    }

    package static func == (left: PackTicket, right: PackTicket) -> Bool { left === right }
    package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
