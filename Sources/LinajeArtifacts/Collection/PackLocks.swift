import DequeModule
import Synchronization

/// One at a time for each pack name: whoever writes a pack and enters it, and whoever removes one.
///
/// A pack's name follows from its content. So a pack may be written again while the old one of that
/// name is being removed, and the index must never name a file that is gone.
package final class PackLocks: Sendable {
    /// Those who wait for a name that somebody has.
    private let taken = Mutex<[PackName: Deque<CheckedContinuation<Void, Never>>]>([:])

    package init() {}

    /// Runs `body` while nobody else has that name, in the order they came.
    package func hold<Value>(
        _ name: PackName, _ body: () async throws -> Value
    ) async rethrows -> Value {
        await withCheckedContinuation { continuation in
            let isFree = taken.withLock { taken in
                guard taken[name] == nil else {
                    taken[name]?.append(continuation)
                    return false
                }
                taken[name] = []
                return true
            }
            if isFree { continuation.resume() }
        }
        defer { end(name) }
        return try await body()
    }

    private func end(_ name: PackName) {
        let next = taken.withLock { taken -> CheckedContinuation<Void, Never>? in
            guard let next = taken[name]?.popFirst() else {
                taken[name] = nil
                return nil
            }
            return next
        }
        next?.resume()
    }
}
