import LinajeDomain
import Synchronization

/// The readings of runs that are under way: when a run is deleted they end with an error, not with
/// the part of its points that is still there.
final class RunReadings: Sendable {
    /// One reading. Ends with whoever holds it.
    final class Reading: Sendable {
        private let run: RunID
        private let isOver = Atomic<Bool>(false)
        private let left: @Sendable (ObjectIdentifier) -> Void

        fileprivate init(_ run: RunID, left: @escaping @Sendable (ObjectIdentifier) -> Void) {
            self.run = run
            self.left = left
        }

        deinit { left(ObjectIdentifier(self)) }

        /// What was read before this returns was read of the whole run.
        ///
        /// - Throws: `notFound` when the run was deleted meanwhile.
        func check() throws {
            guard isOver.load(ordering: .acquiring) else { return }
            throw RunReadings.deleted(run)
        }

        fileprivate func end() { isOver.store(true, ordering: .releasing) }
    }

    private struct Weak: Sendable {
        weak var reading: Reading?
    }

    private let open = Mutex<[RunID: [ObjectIdentifier: Weak]]>([:])

    func begin(_ run: RunID) -> Reading {
        let reading = Reading(run) { [weak self] in self?.remove($0, run) }
        open.withLock { $0[run, default: [:]][ObjectIdentifier(reading)] = Weak(reading: reading) }
        return reading
    }

    /// Ends the readings of a run.
    func end(_ run: RunID) {
        // Held until the lock is given back: the last one to let go of a reading takes it again.
        let readings = open.withLock { $0[run]?.values.compactMap(\.reading) ?? [] }
        for reading in readings { reading.end() }
    }

    static func deleted(_ run: RunID) -> LinajeError {
        LinajeError(
            .notFound, "run \(run) was deleted for good", details: ["run_id": "\(run)"])
    }

    private func remove(_ reading: ObjectIdentifier, _ run: RunID) {
        open.withLock { open in
            open[run]?[reading] = nil
            if open[run]?.isEmpty == true { open[run] = nil }
        }
    }
}
