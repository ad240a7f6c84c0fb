import Synchronization

/// How many repetitions all requests of a store may still make: a server that is ill for everybody
/// is not asked five times by each (the "standard" mode of AWS's own clients).
package final class RetryBudget: Sendable {
    package static let capacity = 500
    private static let cost = 5
    private static let timeoutCost = 10

    private let tokens = Mutex(RetryBudget.capacity)

    package init() {}

    /// Takes what a repetition costs; `false` when there is not so much left.
    package func take(afterTimeout: Bool) -> Bool {
        let cost = afterTimeout ? Self.timeoutCost : Self.cost
        return tokens.withLock { tokens in
            guard tokens >= cost else { return false }
            tokens -= cost
            return true
        }
    }

    /// A request has succeeded, after a repetition or at once.
    package func succeeded(afterRetry: Bool) {
        tokens.withLock { tokens in
            tokens = min(Self.capacity, tokens + (afterRetry ? Self.cost : 1))
        }
    }
}
