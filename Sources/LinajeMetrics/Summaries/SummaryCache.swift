import LinajeDomain
import Synchronization

/// The summaries of the writers that write now, in memory, the least recently written out first.
///
/// A table in here is complete: it is put in when its writer is opened, with nothing of it under
/// way, and takes in every segment committed since. A writer whose table is not here loses
/// nothing: readers complete what is stored from its segments.
final class SummaryCache: Sendable {
    private struct Entry {
        var table: SummaryTable
        /// Through which segment the database has it.
        var stored: Int64
        /// Segments since then.
        var unstored = 0
        var used: UInt64
    }

    private struct State {
        var entries: [RunID: [WriterID: Entry]] = [:]
        var series = 0
        var clock: UInt64 = 0
    }

    /// A table that should be stored.
    struct Due: Sendable {
        var key: IngestQueue.Key
        var table: SummaryTable
    }

    /// Series that are kept over all writers.
    private let limit: Int
    /// Segments after which a table is stored: what a reader has to complete at most after a
    /// crash.
    private let segmentsBetweenStores: Int
    private let state = Mutex(State())

    init(limit: Int = 200_000, segmentsBetweenStores: Int = 256) {
        self.limit = limit
        self.segmentsBetweenStores = segmentsBetweenStores
    }

    func contains(_ key: IngestQueue.Key) -> Bool {
        state.withLock { $0.entries[key.run]?[key.writer] != nil }
    }

    /// Puts in a table that was completed from the database; one that is here stays.
    func insert(_ key: IngestQueue.Key, _ table: SummaryTable, stored: Int64) {
        state.withLock { state in
            guard state.entries[key.run]?[key.writer] == nil else { return }
            state.clock &+= 1
            state.series += table.count
            state.entries[key.run, default: [:]][key.writer] = Entry(
                table: table, stored: stored, used: state.clock)
        }
    }

    /// Takes in segments that are durable now.
    ///
    /// - Returns: the table when it is time to store it.
    func fold(_ key: IngestQueue.Key, _ segments: [(id: Int64, segment: MetricSegment)]) -> Due? {
        state.withLock { state in
            state.clock &+= 1
            // Taken out while it changes, so that its arrays are not copied.
            guard var entry = state.entries[key.run]?.removeValue(forKey: key.writer) else {
                return nil
            }
            let before = entry.table.count
            for (id, segment) in segments { entry.table.fold(segment, id: id) }
            state.series += entry.table.count - before
            entry.unstored += segments.count
            entry.used = state.clock
            let isDue = entry.unstored >= max(segmentsBetweenStores, entry.table.count / 8)
            // Not again before as many new ones, even if this store fails.
            if isDue { entry.unstored = 0 }
            state.entries[key.run, default: [:]][key.writer] = entry
            return isDue ? Due(key: key, table: entry.table) : nil
        }
    }

    /// Notes that a table is stored through a segment.
    func stored(_ key: IngestQueue.Key, through segment: Int64) {
        state.withLock { state in
            guard let stored = state.entries[key.run]?[key.writer]?.stored else { return }
            state.entries[key.run]?[key.writer]?.stored = max(stored, segment)
        }
    }

    /// Drops a table whose writer's last commit has an unknown outcome.
    func drop(_ key: IngestQueue.Key) {
        state.withLock { Self.remove(key, from: &$0) }
    }

    /// Drops the tables of a run that is being deleted.
    func drop(_ run: RunID) {
        state.withLock { state in
            for writer in state.entries[run]?.keys.map(\.self) ?? [] {
                Self.remove(IngestQueue.Key(run: run, writer: writer), from: &state)
            }
        }
    }

    /// The tables of a run that are here.
    func tables(of run: RunID) -> [WriterID: SummaryTable] {
        state.withLock { $0.entries[run]?.mapValues(\.table) ?? [:] }
    }

    /// Drops the least recently written tables while there are too many series.
    ///
    /// - Returns: those of them that are not stored yet.
    func evicted() -> [Due] {
        state.withLock { state in
            guard state.series > limit else { return [] }
            var all: [(key: IngestQueue.Key, used: UInt64)] = []
            for (run, writers) in state.entries {
                for (writer, entry) in writers {
                    all.append((IngestQueue.Key(run: run, writer: writer), entry.used))
                }
            }
            all.sort { $0.used < $1.used }
            var due: [Due] = []
            // Some more than needed, so that this is not done again at once.
            for (key, _) in all where state.series > limit / 8 * 7 {
                if let entry = state.entries[key.run]?[key.writer],
                    entry.stored < entry.table.through
                {
                    due.append(Due(key: key, table: entry.table))
                }
                Self.remove(key, from: &state)
            }
            return due
        }
    }

    /// The tables that are not stored yet.
    func unstored() -> [Due] {
        state.withLock { state in
            state.entries.flatMap { run, writers in
                writers.compactMap { writer, entry in
                    entry.stored < entry.table.through
                        ? Due(key: IngestQueue.Key(run: run, writer: writer), table: entry.table)
                        : nil
                }
            }
        }
    }

    private static func remove(_ key: IngestQueue.Key, from state: inout State) {
        guard let entry = state.entries[key.run]?.removeValue(forKey: key.writer) else { return }
        state.series -= entry.table.count
        if state.entries[key.run]?.isEmpty == true { state.entries[key.run] = nil }
    }
}
