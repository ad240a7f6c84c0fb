import LinajeArtifacts
import Synchronization

/// Lets tasks run one at a time, from one waypoint to the next, in an order that a seed decides.
final class Interleaving: Sendable {
    /// The daemon died: everything ends at its next waypoint.
    struct Died: Error {}

    private typealias Turn = CheckedContinuation<Void, any Error>

    private struct State {
        var generator: SplitMix64
        /// Tasks that have not come to their first waypoint.
        var missing: Int
        var waiting: [(task: Int, turn: Turn)] = []
        /// Turns until the daemon dies.
        var life: Int?
        var isDead = false
        var turns = 0
    }

    /// Which task it is.
    @TaskLocal static var task: Int?

    private let state: Mutex<State>

    /// - Parameter life: turns after which the daemon dies; `nil`: it does not.
    init(seed: UInt64, tasks: Int, life: Int?) {
        state = Mutex(State(generator: SplitMix64(seed: seed), missing: tasks, life: life))
    }

    var turns: Int { state.withLock { $0.turns } }
    var isDead: Bool { state.withLock { $0.isDead } }

    /// What a store calls. The writing of packs belongs to whoever waits for it.
    var observer: WaypointObserver {
        { waypoint in
            if waypoint != .packWritten, waypoint != .packEntered { try await self.step() }
        }
    }

    /// Waits for the next turn.
    func step() async throws {
        guard let task = Self.task else { return }
        try await withCheckedThrowingContinuation { (turn: Turn) in
            state.withLock { state in
                state.waiting.append((task, turn))
                Self.next(&state)
            }
        }
    }

    /// Runs a task among the others.
    func run(_ task: Int, _ body: () async throws -> Void) async throws {
        try await Self.$task.withValue(task) {
            defer { state.withLock { Self.next(&$0) } }
            try await withCheckedThrowingContinuation { (turn: Turn) in
                state.withLock { state in
                    state.missing -= 1
                    state.waiting.append((task, turn))
                    Self.next(&state)
                }
            }
            try await body()
        }
    }

    private static func next(_ state: inout State) {
        guard state.missing == 0, !state.waiting.isEmpty else { return }
        state.turns += 1
        if let life = state.life {
            state.isDead = state.isDead || life == 0
            state.life = max(0, life - 1)
        }
        state.waiting.sort { $0.task < $1.task }
        let place = Int(state.generator.next() % UInt64(state.waiting.count))
        let (_, turn) = state.waiting.remove(at: place)
        if state.isDead {
            turn.resume(throwing: Died())
        } else {
            turn.resume()
        }
    }
}
