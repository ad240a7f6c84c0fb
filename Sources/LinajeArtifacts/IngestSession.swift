package import LinajeDomain
import Synchronization

/// The files that one client puts, seen by nobody else.
///
/// Kept in memory only: after a restart the client begins anew, and finds what it sent in the
/// store already.
package final class IngestSession: Sendable {
    private struct State {
        var lastUse: Timestamp
        var entries: [TreePath: TreeEntry] = [:]
        /// Files on their way.
        var openFiles = 0
        /// Packs that hold something of the session and are not durable yet.
        var tickets: Set<PackTicket> = []
        /// Trees that files were taken over from, and which must still be needed at the commit.
        var bases: Set<SHA256Digest> = []
        var failure: LinajeError?
        var hasEnded = false
    }

    package let id: IngestID
    /// What the session has put or found is kept for it.
    private let use: BlobUse?
    private let state: Mutex<State>

    package init(_ id: IngestID, now: Timestamp, use: BlobUse? = nil) {
        self.id = id
        self.use = use
        self.state = Mutex(State(lastUse: now))
    }

    /// Notes that the session is used.
    ///
    /// - Throws: `notFound` when it has ended, the error of a pack that was lost with its content.
    package func use(_ now: Timestamp) throws {
        try state.withLock { try IngestSession.check(&$0, id, now) }
    }

    /// Counts a file in that is about to be put.
    package func open(_ now: Timestamp) throws {
        try state.withLock { state in
            try IngestSession.check(&state, id, now)
            let count = state.entries.count + state.openFiles + 1
            guard count <= Limits.treeEntries else { throw IngestSession.tooMany(id, count) }
            state.openFiles += 1
        }
    }

    /// Counts a file out, and notes it when it is whole; it replaces one of the same path.
    package func close(_ entry: TreeEntry?, _ now: Timestamp) throws {
        try state.withLock { state in
            state.openFiles -= 1
            guard let entry else { return }
            try IngestSession.check(&state, id, now)
            state.entries[entry.path] = entry
        }
    }

    /// Notes files that are whole; each replaces one of the same path.
    ///
    /// - Parameter base: the tree that they were taken over from, if it must still be needed when the
    ///   session's tree is committed.
    package func add(
        _ entries: some Collection<TreeEntry>, from base: SHA256Digest? = nil, _ now: Timestamp
    ) throws {
        try state.withLock { state in
            try IngestSession.check(&state, id, now)
            let count = state.entries.count + state.openFiles + entries.count
            guard count <= Limits.treeEntries else { throw IngestSession.tooMany(id, count) }
            state.entries.reserveCapacity(state.entries.count + entries.count)
            for entry in entries { state.entries[entry.path] = entry }
            if let base { state.bases.insert(base) }
        }
    }

    /// The trees that must still be needed.
    package var bases: Set<SHA256Digest> { state.withLock { $0.bases } }

    /// Notes packs that must be durable before the session's tree is.
    package func add(_ tickets: Set<PackTicket>) {
        state.withLock { $0.tickets.formUnion(tickets) }
    }

    /// The packs that are still on their way.
    package var tickets: Set<PackTicket> { state.withLock { $0.tickets } }

    /// The files that were put.
    ///
    /// - Throws: `failedPrecondition` while one is on its way: it would be left out silently.
    package func entries(_ now: Timestamp) throws -> [TreeEntry] {
        try state.withLock { state in
            try IngestSession.check(&state, id, now)
            guard state.openFiles == 0 else {
                throw LinajeError(
                    .failedPrecondition,
                    "ingest \(id) has \(state.openFiles) files on their way; commit after the "
                        + "answers to all of them")
            }
            return Array(state.entries.values)
        }
    }

    package func end() {
        state.withLock { $0.hasEnded = true }
        use?.end()
    }

    /// Whether nobody has used the session for its lease.
    package func isExpired(_ now: Timestamp) -> Bool {
        let lease = Limits.ingestLease.components.seconds * 1_000_000
        return state.withLock { now.microseconds - $0.lastUse.microseconds > lease }
    }

    private static func check(_ state: inout State, _ id: IngestID, _ now: Timestamp) throws {
        guard !state.hasEnded else { throw IngestSession.notFound(id) }
        state.lastUse = max(state.lastUse, now)
        for ticket in state.tickets {
            switch ticket.outcome {
            case nil: break
            case .success: state.tickets.remove(ticket)
            case .failure(let error):
                state.tickets.remove(ticket)
                if state.failure == nil { state.failure = IngestSession.lost(id, error) }
            }
        }
        if let failure = state.failure { throw failure }
    }

    private static func tooMany(_ id: IngestID, _ count: Int) -> LinajeError {
        LinajeError(
            .limitExceeded,
            "ingest \(id) has \(count) files; at most \(Limits.treeEntries) make a tree")
    }

    package static func notFound(_ id: IngestID) -> LinajeError {
        LinajeError(
            .notFound,
            "ingest \(id) is not open (ended, dropped after silence, or from before a "
                + "restart); begin a new one",
            details: ["ingest_id": "\(id)"])
    }

    private static func lost(_ id: IngestID, _ error: LinajeError) -> LinajeError {
        LinajeError(
            error.code, "ingest \(id) lost content: \(error.message); begin a new one",
            details: error.details.merging(["ingest_id": "\(id)"]) { $1 })
    }
}
