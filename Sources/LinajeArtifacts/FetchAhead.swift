import Synchronization

/// How much may be fetched before somebody asks for it, or gathered before it is put. Whoever finds nothing left fetches when it is
/// asked, so that thousands of readers hold little more than one.
package final class AheadBudget: Sendable {
    private let free: Mutex<Int>

    /// - Parameter groups: of about a megabyte.
    package init(groups: Int) { free = Mutex(groups) }

    /// Takes room for a group; `nil`: there is none.
    package func take() -> AheadPermit? {
        let isTaken = free.withLock { free in
            guard free > 0 else { return false }
            free -= 1
            return true
        }
        return isTaken ? AheadPermit(self) : nil
    }

    fileprivate func giveBack() { free.withLock { $0 += 1 } }
}

/// Room for a group, given back when it is let go.
package final class AheadPermit: Sendable {
    private let budget: AheadBudget

    fileprivate init(_ budget: AheadBudget) { self.budget = budget }

    deinit { budget.giveBack() }
}

/// Something that is fetched while its reader is busy with what comes before it. Given up when it is
/// let go.
final class FetchAhead<Value: Sendable>: Sendable {
    private let task: Task<Value, any Error>
    private let permit: AheadPermit?

    init(_ permit: AheadPermit? = nil, _ fetch: @escaping @Sendable () async throws -> Value) {
        self.permit = permit
        // Unstructured because it outlives the call that begins it; its reader waits for it, or lets
        // it go, which cancels it.
        task = Task { try await fetch() }
    }

    deinit { task.cancel() }

    var value: Value {
        get async throws { try await task.value }
    }
}
