import Synchronization

/// The connections of a listener and the tasks of their sessions. The listener ends when none is
/// left.
///
/// The tasks are no children of one task group: a group looks through all its children to let one
/// go, so that with thousands of them every end would hold the others up. A connection without a
/// call has no task at all.
final class OpenConnections: Sendable {
    private struct State {
        var connections: [ObjectIdentifier: ServerConnection] = [:]
        var tasks = 0
        /// Nobody is let in any more.
        var isOver = false
        /// Who waits for the last one to leave.
        var waiter: CheckedContinuation<Void, Never>?

        /// The waiter, if nothing is left to wait for.
        mutating func takeWaiter() -> CheckedContinuation<Void, Never>? {
            guard connections.isEmpty, tasks == 0, let waiter else { return nil }
            isOver = true
            self.waiter = nil
            return waiter
        }
    }

    private let state = Mutex(State())

    var all: [ObjectIdentifier: ServerConnection] { state.withLock { $0.connections } }

    /// Lets a connection in. False when the listener has ended.
    func join(_ connection: ServerConnection, _ id: ObjectIdentifier) -> Bool {
        state.withLock { state in
            guard !state.isOver else { return false }
            state.connections[id] = connection
            return true
        }
    }

    /// The connection is gone; tasks of its session may go on.
    func leave(_ id: ObjectIdentifier) {
        state.withLock { state in
            state.connections[id] = nil
            return state.takeWaiter()
        }?.resume()
    }

    /// Runs work of a session in a task of its own.
    func run(_ work: @Sendable @escaping () async -> Void) {
        state.withLock { $0.tasks += 1 }
        Task {
            await work()
            state.withLock { state in
                state.tasks -= 1
                return state.takeWaiter()
            }?.resume()
        }
    }

    /// Returns once all connections are gone and their tasks have ended; none is let in after that.
    func end() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            state.withLock { state in
                state.waiter = continuation
                return state.takeWaiter()
            }?.resume()
        }
    }
}
