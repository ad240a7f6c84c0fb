package import LinajeDomain
import LinajePluginKit

extension CatalogReader {
    /// A run with all that is known of it, deleted or not.
    ///
    /// - Throws: `notFound`.
    package func run(_ id: RunID) throws -> Run {
        guard let found = try runs(where: "id = ?", [.id(id)]).first else {
            throw try missing(id)
        }
        let labels = try labels(of: [id], metrics: false, as: RunLists.self).labels
        var run = Run(LabelledRun(run: found, labels: labels.entry(run: 0)))
        run.datasets = try datasets(of: id)
        run.modelInputs = try links(of: id, .input).map(\.link)
        run.modelOutputs = try links(of: id, .output).map(\.link)
        run.provenance = try provenance(of: id)
        run.processEnd = try processEnd(of: id)
        return run
    }

    /// A page of runs, those that started last first; with params, tags and last values of
    /// metrics, without data sets, model links and provenance.
    package func runs(_ query: RunQuery) throws -> Paged<Run> {
        let page = try labelledRuns(query, as: RunLists.self)
        return Paged(page.elements.map(Run.init), nextPageToken: page.nextPageToken)
    }

    /// As `runs`, with the labels in a form of the caller's.
    func labelledRuns<Labels: RunLabels>(
        _ query: RunQuery, as: Labels.Type
    ) throws -> Paged<LabelledRun<Labels>> {
        let search = try Search(query)
        let found = try find(search)
        let ids = found.rows.prefix(query.page.limit).map(\.id)
        let runs = try runs(where: "id IN (\(placeholders(ids.count)))", ids)
        let (labels, weights) = try labels(of: runs.map(\.id), metrics: true, as: Labels.self)
        let places = Self.table(Array(runs.indices)) { .id(runs[$0].id) }
        let page = try paged(found, search, places) {
            weights[$0] + runs[$0].name.utf8.count + 256
        }
        return Paged(
            page.elements.map {
                LabelledRun(run: runs[$0], labels: labels.entry(run: $0))
            }, nextPageToken: page.nextPageToken)
    }

    /// The little that the metric path asks for at each stream; `nil` when there is no such run.
    package func runStatus(_ id: RunID) throws -> RunState? {
        try connection.first(
            """
            SELECT status, lifecycle, lease_kind, lease_pid, lease_start, lease_timeout_us,
                lease_boot, lease_supervises
            FROM runs WHERE id = ?
            """, [.id(id)]
        ) { row in
            RunState(
                status: try row.choice(0), lifecycle: try row.choice(1),
                lease: try Lease(row, from: 2))
        }
    }

    /// As `runStatus`. - Throws: `notFound`.
    func state(of id: RunID) throws -> RunState {
        guard let state = try runStatus(id) else { throw try missing(id) }
        return state
    }

    /// How many runs are STALLED.
    package func stalledRunCount() throws -> UInt64 {
        try connection.first("SELECT COUNT(*) FROM runs WHERE status = 'STALLED'") {
            try $0.count(0)
        } ?? 0
    }

    /// Runs that have not ended and have an owner to watch, or to wait for: after a restart, before
    /// anything else.
    package func runsWithLiveLease() throws -> [LeasedRun] {
        try connection.all(
            """
            SELECT id, lease_kind, lease_pid, lease_start, lease_timeout_us, lease_boot,
                lease_supervises, COALESCE(lease_heartbeat_us, created_at_us), status
            FROM runs
            WHERE lease_kind <> 'detached' AND status IN ('RUNNING', 'SCHEDULED', 'STALLED')
            ORDER BY id
            """
        ) { row in
            LeasedRun(
                id: try row.requiredID(0), lease: try Lease(row, from: 1),
                lastHeartbeat: try row.time(7), status: try row.choice(8))
        }
    }

    /// The trees among a run's artifacts, in the order they were put there: of two with the same
    /// path the later one counts.
    ///
    /// - Throws: `notFound` when there is no such run.
    package func mounts(_ id: RunID) throws -> [ArtifactMount] {
        _ = try state(of: id)
        return try connection.all(
            """
            SELECT path, tree, size, files, mounted_at_us FROM run_mounts
            WHERE run_id = ? ORDER BY position
            """, [.id(id)]
        ) { row in
            ArtifactMount(
                path: try TreePath.orRoot(try row.text(0)), tree: try row.requiredDigest(1),
                size: try row.count(2), files: try row.count(3), mountedAt: try row.time(4))
        }
    }

    static func noRun(_ id: RunID) -> LinajeError {
        LinajeError(
            .notFound, "run \(id) does not exist; check its id", details: ["run_id": "\(id)"])
    }

    /// What made a run, or `nil`.
    func provenance(of id: RunID) throws -> Provenance? {
        let text = try connection.first(
            "SELECT provenance FROM runs WHERE id = ? AND provenance IS NOT NULL", [.id(id)]
        ) { try $0.text(0) }
        return try text.map { try StoredJSON.decode(from: $0, noun: "provenance of run \(id)") }
    }

    private func processEnd(of id: RunID) throws -> ProcessEnd? {
        let text = try connection.first(
            "SELECT process_end FROM runs WHERE id = ? AND process_end IS NOT NULL", [.id(id)]
        ) { try $0.text(0) }
        return try text.map { try StoredJSON.decode(from: $0, noun: "end of run \(id)") }
    }

    /// Runs without their labels.
    private func runs(where condition: String, _ arguments: [SQLValue]) throws -> [Run] {
        try connection.all(
            """
            SELECT id, experiment_id, name, status, lifecycle, user_name, principal, parent_id,
                started_at_us, ended_at_us, ended_cause,
                lease_kind, lease_pid, lease_start, lease_timeout_us, lease_boot,
                lease_supervises, lease_heartbeat_us
            FROM runs WHERE \(condition)
            """, arguments
        ) { row in
            Run(
                id: try row.requiredID(0), experimentID: try row.int(1), name: try row.text(2),
                status: try row.choice(3), lifecycle: try row.choice(4), user: try row.text(5),
                principal: try row.text(6), parentID: try row.id(7), startedAt: try row.time(8),
                endedAt: row.isNull(9) ? nil : try row.time(9), endedCause: try row.text(10),
                lease: try Lease(row, from: 11),
                ownerHeardAt: row.isNull(17) ? nil : try row.time(17))
        }
    }
}
