import DequeModule
import Synchronization

/// The turn of what must not happen at the same time: collections, repairs and backups, in the order
/// they came. They may take long, so whoever waits is told for what, and may give up.
final class UpkeepTurn: Sendable {
    private struct Place {
        var number: UInt64
        /// "a collection"
        var name: String
        /// Of whom waits by now.
        var wake: CheckedContinuation<Void, Never>?
    }

    private struct State {
        var lastNumber: UInt64 = 0
        /// The first has the turn.
        var line: Deque<Place> = []
    }

    private let state = Mutex(State())

    /// Runs `body` when it is its turn.
    ///
    /// - Parameters:
    ///   - name: what others are told that they wait for.
    ///   - waiting: told what comes before, when there is something.
    /// - Throws: `CancellationError` when the task is cancelled while it waits.
    func take<Value>(
        _ name: String, waiting: (String) async throws -> Void = { _ in },
        _ body: () async throws -> Value
    ) async throws -> Value {
        let (number, before) = state.withLock { state in
            state.lastNumber += 1
            let before = state.line.map(\.name)
            state.line.append(Place(number: state.lastNumber, name: name))
            return (state.lastNumber, before)
        }
        defer { leave(number) }
        if !before.isEmpty {
            try await waiting(before.joined(separator: ", then "))
            await wait(number)
            try Task.checkCancellation()
        }
        return try await body()
    }

    private func wait(_ number: UInt64) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isNow = state.withLock { state in
                    guard !Task.isCancelled, state.line.first?.number != number,
                        let index = state.line.firstIndex(where: { $0.number == number })
                    else { return true }
                    state.line[index].wake = continuation
                    return false
                }
                if isNow { continuation.resume() }
            }
        } onCancel: {
            wake { $0.line.firstIndex { $0.number == number } }
        }
    }

    private func leave(_ number: UInt64) {
        wake { state in
            let hadTurn = state.line.first?.number == number
            state.line.removeAll { $0.number == number }
            return hadTurn && !state.line.isEmpty ? 0 : nil
        }
    }

    /// Wakes whoever waits at that place of the line.
    private func wake(_ place: (inout State) -> Int?) {
        let continuation = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard let index = place(&state) else { return nil }
            defer { state.line[index].wake = nil }
            return state.line[index].wake
        }
        continuation?.resume()
    }
}
