package import LinajeDomain
import LinajePluginKit

extension CatalogReader {
    /// All that a policy of the subject may keep or let go of, with what protects it. Values are those
    /// logged about the model itself, else the run's last.
    ///
    /// Items of runs and models that are marked as deleted are left out: they can be restored as they were.
    ///
    /// - Parameter metric: the metric of the values; empty: none.
    /// - Throws: `notFound` for the subject; `limitExceeded` for more than `Limits.retentionItems`.
    package func retentionItems(
        of subject: RetentionSubject, metric: String
    ) throws -> [RetentionItem] {
        switch subject {
        case .model(let name): return try versionItems(of: name, metric)
        case .experiment(let id):
            _ = try experiment(id: id)
            return try checkpointItems(of: id, metric)
        }
    }

    /// What else needs a tree once these parts are gone, for people; `nil`: nothing does.
    package func otherNeed(
        of tree: SHA256Digest, without parts: [RetentionPart], now: Timestamp
    ) throws -> String? {
        var gone: [String: Int] = [:]
        for part in parts where part.tree == tree { gone["\(part.place)", default: 0] += 1 }
        return try reasons(for: tree, now: now, limit: parts.count + 1).first { reason in
            guard let count = gone[reason], count > 0 else { return true }
            gone[reason] = count - 1
            return false
        }
    }

    /// Names of metrics that a run has, not all when it has many.
    package func metricNames(of run: RunID) throws -> [String] {
        try connection.all(
            "SELECT key FROM run_metrics WHERE run_id = ? ORDER BY key LIMIT 200", [.id(run)]
        ) { try $0.text(0) }
    }

    // MARK: Versions

    private func versionItems(of name: String, _ metric: String) throws -> [RetentionItem] {
        let model = try modelID(name)
        let read = try versionsThatOpenRunsRead()
        let items = try connection.all(
            """
            SELECT v.version, v.tree, v.size, v.created_at_us, v.stage, v.run_id,
                v.logged_model_id, r.status, r.lifecycle, lm.value, rm.value,
                (SELECT MIN(a.alias) FROM model_aliases a
                    WHERE a.model_id = v.model_id AND a.version = v.version),
                (SELECT h.reason FROM artifact_holds h WHERE h.tree = v.tree),
                (SELECT MIN(t.value) FROM model_version_tags t
                    WHERE t.version_id = v.id AND t.key = '\(Self.keepTag)'),
                \(Self.keepTags("v.logged_model_id")),
                v.id,
                \(Self.openReader("v.logged_model_id")),
                (SELECT COUNT(*) FROM model_versions w WHERE w.tree = v.tree),
                (SELECT COUNT(*) FROM logged_models l WHERE l.tree = v.tree),
                (SELECT l.size FROM logged_models l
                    WHERE l.id = v.logged_model_id AND l.tree = v.tree
                        AND (l.run_id IS NULL OR l.run_id = v.run_id)),
                lm.key, (SELECT l.step FROM logged_models l WHERE l.id = v.logged_model_id)
            FROM model_versions v LEFT JOIN runs r ON r.id = v.run_id
            \(Self.valueTables("v.logged_model_id", "v.run_id"))
            WHERE v.model_id = ? ORDER BY v.id LIMIT ?
            """,
            [.text(metric), .text(metric), .integer(model), Self.mostItems]
        ) { row in
            let version = try row.count(0)
            let stage: Stage = try row.choice(4)
            let status: RunStatus? = row.isNull(7) ? nil : try row.choice(7)
            let run: RunID? = try row.id(5)
            let own = RetentionPart(
                place: .version(name: name, version: version), tree: try row.requiredDigest(1),
                size: try row.count(2))
            var item = RetentionItem(
                name: "models:/\(name)/\(version)", parts: [own],
                versions: Int(clamping: try row.int(18)), run: run,
                step: Int64(clamping: version), createdAt: try row.time(3))
            try Self.setValue(
                of: &item, row, 9, isOwn: !row.isNull(21),
                step: row.isNull(22) ? 0 : try row.int(22))
            let isRead = try read.contains(row.int(16)) || !row.isNull(17)
            let protections: [String?] = [
                row.isNull(11) ? nil : "alias \(try row.text(11))",
                stage == .none ? nil : "stage \(stage.rawValue)",
                try Self.held(row, 12), try Self.tagged(row, 13...15), Self.going(status),
                isRead ? "a run that goes on reads it" : nil,
            ]
            item.protection = protections.compactMap { $0 }.first
            // A run that is marked as deleted can be restored, with all it had.
            let lifecycle: Lifecycle = row.isNull(8) ? .active : try row.choice(8)
            let isThere = lifecycle == .active
            let logged: LoggedModelID? = row.isNull(20) ? nil : try row.id(6)
            guard isThere, try row.int(19) <= (logged == nil ? 0 : 1) else { return item }
            if let logged {
                item.sources.append(
                    RetentionPart(
                        place: .loggedModel(logged), tree: own.tree, size: try row.count(20)))
            }
            return item
        }
        try Self.checkCount(items.count)
        return try withSources(items, of: model)
    }

    /// Internal ids of versions that are inputs of runs that go on.
    private func versionsThatOpenRunsRead() throws -> Set<Int64> {
        Set(
            try connection.all(
                """
                SELECT DISTINCT i.version_id FROM run_models i JOIN runs u ON u.id = i.run_id
                WHERE i.version_id IS NOT NULL AND i.direction = 'input' AND \(Self.goesOn("u"))
                """, []
            ) { try $0.int(0) })
    }

    /// The items with the mounts of their runs that have the same content.
    private func withSources(
        _ items: [RetentionItem], of model: Int64
    ) throws -> [RetentionItem] {
        var mounts: [ContentOfRun: [RetentionPart]] = [:]
        try connection.query(
            """
            SELECT DISTINCT m.run_id, m.position, m.path, m.tree, m.size
            FROM model_versions v JOIN run_mounts m ON m.run_id = v.run_id AND m.tree = v.tree
            JOIN runs r ON r.id = m.run_id
            WHERE v.model_id = ? AND r.lifecycle = 'active'
            ORDER BY m.run_id, m.position LIMIT ?
            """, [.integer(model), Self.mostItems]
        ) { row in
            let part = try Self.mount(row)
            mounts[ContentOfRun(run: try row.requiredID(0), tree: part.tree), default: []]
                .append(part)
        }
        try Self.checkCount(mounts.values.reduce(0) { $0 + $1.count })
        return items.map { item in
            guard let run = item.run, let tree = item.parts.first?.tree else { return item }
            var item = item
            item.sources += mounts[ContentOfRun(run: run, tree: tree)] ?? []
            return item
        }
    }

    // MARK: Checkpoints

    private func checkpointItems(
        of experiment: ExperimentID, _ metric: String
    ) throws -> [RetentionItem] {
        var models = try loggedModelItems(of: experiment, metric)
        var places: [ContentOfRun: Int] = [:]
        for (index, item) in models.enumerated() {
            guard let run = item.run, let tree = item.parts.first?.tree else { continue }
            places[ContentOfRun(run: run, tree: tree)] = index
        }
        var folders: [String: RetentionItem] = [:]
        var mounts = 0
        try connection.query(
            """
            SELECT m.run_id, m.position, m.path, m.tree, m.size, m.mounted_at_us, r.status,
                (SELECT h.reason FROM artifact_holds h WHERE h.tree = m.tree),
                (SELECT MIN(t.value) FROM run_tags t
                    WHERE t.run_id = r.id AND t.key = '\(Self.keepTag)'),
                (SELECT MIN(g.name) FROM model_versions v
                    JOIN registered_models g ON g.id = v.model_id
                    WHERE v.tree = m.tree)
            FROM runs r JOIN run_mounts m ON m.run_id = r.id
            WHERE r.experiment_id = ? AND r.lifecycle = 'active'
            ORDER BY m.run_id, m.position LIMIT ?
            """, [.integer(experiment), Self.mostMounts]
        ) { row in
            mounts += 1
            let run: RunID = try row.requiredID(0)
            let part = try Self.mount(row)
            if let index = places[ContentOfRun(run: run, tree: part.tree)] {
                models[index].parts.append(part)
                return
            }
            guard let folder = CheckpointFolder(of: try row.text(2)) else { return }
            let name = "runs:/\(run)/\(folder.path)"
            var item =
                try folders[name]
                ?? RetentionItem(
                    name: name, parts: [], run: run, step: folder.step,
                    createdAt: row.time(5), metricStep: folder.step)
            item.parts.append(part)
            item.createdAt = max(item.createdAt, try row.time(5))
            let protections: [String?] = [
                item.protection, try Self.held(row, 7), try Self.tagged(row, 8...8),
                Self.going(try row.choice(6)),
                row.isNull(9) ? nil : "registered as a version of \(try row.text(9))",
            ]
            item.protection = protections.compactMap { $0 }.first
            folders[name] = item
        }
        try Self.checkCount(mounts / Self.mountsPerItem)
        try Self.checkCount(models.count + folders.count)
        return models + folders.values
    }

    private func loggedModelItems(
        of experiment: ExperimentID, _ metric: String
    ) throws -> [RetentionItem] {
        let items = try connection.all(
            """
            SELECT l.id, l.run_id, l.tree, l.size, l.step, l.created_at_us, r.status,
                lm.value, rm.value,
                (SELECT MIN(g.name) FROM model_versions v
                    JOIN registered_models g ON g.id = v.model_id
                    WHERE v.logged_model_id = l.id OR v.tree = l.tree),
                (SELECT h.reason FROM artifact_holds h WHERE h.tree = l.tree),
                \(Self.keepTags("l.id")), \(Self.openReader("l.id")), lm.key
            FROM logged_models l LEFT JOIN runs r ON r.id = l.run_id
            \(Self.valueTables("l.id", "l.run_id"))
            WHERE l.experiment_id = ? AND l.tree IS NOT NULL
                AND (r.id IS NULL OR r.lifecycle = 'active')
            ORDER BY l.created_at_us, l.id LIMIT ?
            """,
            [.text(metric), .text(metric), .integer(experiment), Self.mostItems]
        ) { row in
            let id: LoggedModelID = try row.requiredID(0)
            let status: RunStatus? = row.isNull(6) ? nil : try row.choice(6)
            var item = RetentionItem(
                name: "models:/\(id)",
                parts: [
                    RetentionPart(
                        place: .loggedModel(id), tree: try row.requiredDigest(2),
                        size: try row.count(3))
                ],
                run: try row.id(1), step: try row.int(4), createdAt: try row.time(5))
            try Self.setValue(of: &item, row, 7, isOwn: !row.isNull(14), step: item.step)
            let protections: [String?] = [
                row.isNull(9) ? nil : "registered as a version of \(try row.text(9))",
                try Self.held(row, 10), try Self.tagged(row, 11...12), Self.going(status),
                row.isNull(13) ? nil : "a run that goes on reads it",
            ]
            item.protection = protections.compactMap { $0 }.first
            return item
        }
        try Self.checkCount(items.count)
        return items
    }

    // MARK: Parts of statements

    /// A tag that keeps what has it, whatever its value, but for "false".
    static var keepTag: String { "linaje.keep" }

    private static let mostItems = SQLValue.integer(Int64(Limits.retentionItems) + 1)

    /// Most uploads of runs that are looked at for checkpoints: many are none.
    private static let mountsPerItem = 20
    private static let mostMounts = SQLValue.integer(
        Int64((Limits.retentionItems + 1) * mountsPerItem))

    private static func checkCount(_ count: Int) throws {
        guard count > Limits.retentionItems else { return }
        throw LinajeError(
            .limitExceeded,
            "policy would have to look at more than \(Limits.retentionItems) items; move runs to "
                + "several experiments, or versions to several models")
    }

    private static func valueTables(_ model: String, _ run: String) -> String {
        """
        LEFT JOIN logged_model_metrics lm ON lm.logged_model_id = \(model) AND lm.key = ?
        LEFT JOIN run_metrics rm ON rm.run_id = \(run) AND rm.key = ?
        """
    }

    private static func keepTags(_ model: String) -> String {
        """
        (SELECT MIN(t.value) FROM logged_model_tags t
            WHERE t.logged_model_id = \(model) AND t.key = '\(keepTag)'),
        (SELECT MIN(t.value) FROM run_tags t WHERE t.run_id = r.id AND t.key = '\(keepTag)')
        """
    }

    private static func goesOn(_ run: String) -> String {
        "\(run).status NOT IN ('FINISHED', 'FAILED', 'KILLED')"
    }

    /// A run that goes on and has the logged model as an input.
    private static func openReader(_ model: String) -> String {
        """
        (SELECT MIN(u.name) FROM run_models i JOIN runs u ON u.id = i.run_id
            WHERE i.logged_model_id = \(model) AND i.direction = 'input' AND \(goesOn("u")))
        """
    }

    // MARK: Parts of rows

    /// The value about the model (NULL is NaN when there is one), else that of its run: at the step when
    /// one is known, the last otherwise.
    private static func setValue(
        of item: inout RetentionItem, _ row: any SQLRow, _ index: Int, isOwn: Bool, step: Int64
    ) throws {
        if isOwn {
            item.value = row.isNull(index) ? .nan : try row.double(index)
        } else {
            item.value = row.isNull(index + 1) ? nil : try row.double(index + 1)
            item.metricStep = step > 0 && item.run != nil ? step : nil
        }
    }

    private static func held(_ row: any SQLRow, _ index: Int) throws -> String? {
        row.isNull(index) ? nil : "held: \(try row.text(index))"
    }

    private static func tagged(_ row: any SQLRow, _ columns: ClosedRange<Int>) throws -> String? {
        try columns.contains { try !row.isNull($0) && row.text($0) != "false" }
            ? "tag \(keepTag)" : nil
    }

    private static func going(_ status: RunStatus?) -> String? {
        guard let status, !status.isTerminal else { return nil }
        return "its run is \(status.rawValue)"
    }

    private static func mount(_ row: any SQLRow) throws -> RetentionPart {
        RetentionPart(
            place: .mount(
                try row.requiredID(0), position: try row.int(1), path: try row.text(2)),
            tree: try row.requiredDigest(3), size: try row.count(4))
    }
}

private struct ContentOfRun: Hashable {
    var run: RunID
    var tree: SHA256Digest
}
