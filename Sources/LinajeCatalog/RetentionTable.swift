package import LinajeDomain
import LinajePluginKit

/// Policies of what is kept of an experiment or a registered model.
///
/// ```
/// retention_policies  (kind subject)*                        "experiment" or "model", and its id
///                     best  metric  is_maximum  last  max_age_s  every_step  max_bytes  is_per_run
///                     is_automatic  principal  set_at_us
///                     applied_at_us?  applied_items  applied_bytes  applied_automatically
/// ```
enum RetentionTable {
    static let migration = SQLMigration(
        "16 retention",
        [
            """
            CREATE TABLE retention_policies (
                kind TEXT NOT NULL,
                subject BIGINT NOT NULL,
                best BIGINT NOT NULL,
                metric TEXT NOT NULL,
                is_maximum BIGINT NOT NULL,
                last BIGINT NOT NULL,
                max_age_s BIGINT NOT NULL,
                every_step BIGINT NOT NULL,
                max_bytes BIGINT NOT NULL,
                is_per_run BIGINT NOT NULL,
                is_automatic BIGINT NOT NULL,
                principal TEXT NOT NULL,
                set_at_us BIGINT NOT NULL,
                applied_at_us BIGINT,
                applied_items BIGINT NOT NULL DEFAULT 0,
                applied_bytes BIGINT NOT NULL DEFAULT 0,
                applied_automatically BIGINT NOT NULL DEFAULT 0,
                PRIMARY KEY (kind, subject))
            """
        ])
}

extension RetentionSubject {
    var kind: String {
        switch self {
        case .experiment: "experiment"
        case .model: "model"
        }
    }

    /// The registered model that events are about, or empty.
    var model: String {
        switch self {
        case .experiment: ""
        case .model(let name): name
        }
    }

    /// What events say of it besides.
    var facts: [String: CanonicalJSON.Value] {
        switch self {
        case .experiment(let id): ["experiment": .int(id)]
        case .model: [:]
        }
    }
}

extension CatalogReader {
    /// All policies, those of experiments first; `automatic`: those that the daemon applies by itself.
    package func retentionPolicies(automatic: Bool = false) throws -> [RetentionPolicy] {
        try policies(automatic ? "WHERE p.is_automatic = 1" : "", [])
    }

    /// The policy of a subject, if it has one.
    ///
    /// - Throws: `notFound` when the subject does not exist.
    package func retentionPolicy(of subject: RetentionSubject) throws -> RetentionPolicy? {
        try policies("WHERE p.kind = ? AND p.subject = ?", key(of: subject)).first
    }

    /// Where the policy of a subject is found.
    ///
    /// - Throws: `notFound` when the subject does not exist.
    func key(of subject: RetentionSubject) throws -> [SQLValue] {
        switch subject {
        case .experiment(let id):
            [.text(subject.kind), .integer(try experiment(id: id).id)]
        case .model(let name): [.text(subject.kind), .integer(try modelID(name))]
        }
    }

    private func policies(
        _ condition: String, _ arguments: [SQLValue]
    ) throws -> [RetentionPolicy] {
        try connection.all(
            """
            SELECT p.kind, p.subject, m.name, p.best, p.metric, p.is_maximum, p.last, p.max_age_s,
                p.every_step, p.max_bytes, p.is_per_run, p.is_automatic, p.principal, p.set_at_us,
                p.applied_at_us, p.applied_items, p.applied_bytes, p.applied_automatically
            FROM retention_policies p
            LEFT JOIN registered_models m ON p.kind = 'model' AND m.id = p.subject
            \(condition) ORDER BY p.kind, p.subject
            """, arguments
        ) { row in
            let isModel = try row.text(0) == "model"
            let application = RetentionApplication(
                at: row.isNull(14) ? Timestamp(microseconds: 0) : try row.time(14),
                items: try row.count(15), bytes: try row.count(16),
                isAutomatic: try row.int(17) != 0)
            return RetentionPolicy(
                subject: isModel ? .model(try row.text(2)) : .experiment(try row.int(1)),
                rules: RetentionRules(
                    best: Int(clamping: try row.int(3)), metric: try row.text(4),
                    isMaximum: try row.int(5) != 0, last: Int(clamping: try row.int(6)),
                    maxAge: .seconds(try row.int(7)), everyStep: try row.int(8),
                    maxBytes: try row.count(9), isPerRun: try row.int(10) != 0),
                isAutomatic: try row.int(11) != 0, principal: try row.text(12),
                setAt: try row.time(13), lastApplication: row.isNull(14) ? nil : application)
        }
    }
}

extension CatalogTransaction {
    /// Sets the policy of a subject, in the place of the one it has.
    ///
    /// - Throws: `notFound` when the subject does not exist, `invalidArgument` for rules that say nothing,
    ///   `limitExceeded` for more than `Limits.retentionPolicies`.
    package func setRetention(
        of subject: RetentionSubject, _ rules: RetentionRules, automatic: Bool
    ) throws -> RetentionPolicy {
        let rules = try rules.checked()
        let key = try reader.key(of: subject)
        if case .experiment(let id) = subject { try requireActiveExperiment(id) }
        let others = try connection.first(
            "SELECT COUNT(*) FROM retention_policies WHERE kind <> ? OR subject <> ?", key
        ) { try $0.int(0) }
        guard (others ?? 0) < Int64(Limits.retentionPolicies) else {
            throw LinajeError(
                .limitExceeded,
                "there are \(Limits.retentionPolicies) retention policies, as many as may be; "
                    + "remove those that are not needed")
        }
        try connection.execute(
            """
            INSERT INTO retention_policies (kind, subject, best, metric, is_maximum, last,
                max_age_s, every_step, max_bytes, is_per_run, is_automatic, principal, set_at_us)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (kind, subject) DO UPDATE SET best = excluded.best,
                metric = excluded.metric, is_maximum = excluded.is_maximum, last = excluded.last,
                max_age_s = excluded.max_age_s, every_step = excluded.every_step,
                max_bytes = excluded.max_bytes, is_per_run = excluded.is_per_run,
                is_automatic = excluded.is_automatic, principal = excluded.principal,
                set_at_us = excluded.set_at_us
            """,
            key + [
                .integer(Int64(rules.best)), .text(rules.metric), .bool(rules.isMaximum),
                .integer(Int64(rules.last)), .integer(rules.maxAge.components.seconds),
                .integer(rules.everyStep), try .count(rules.maxBytes, of: "bytes of the policy"),
                .bool(rules.isPerRun), .bool(automatic), .text(principal.name), .time(now),
            ])
        var facts = subject.facts
        facts["rules"] = .string(rules.text)
        facts["automatic"] = .int(automatic ? 1 : 0)
        try record(.retentionSet, model: subject.model, facts: facts)
        guard let policy = try reader.retentionPolicy(of: subject) else {
            throw LinajeError(.corrupt, "retention policy of \(subject) is lost")
        }
        return policy
    }

    /// Removes the policy of a subject. What it let go of does not come back.
    ///
    /// - Throws: `notFound` when there is none.
    package func removeRetention(of subject: RetentionSubject) throws {
        let removed = try connection.execute(
            "DELETE FROM retention_policies WHERE kind = ? AND subject = ?",
            try reader.key(of: subject))
        guard removed > 0 else { throw CatalogReader.noPolicy(subject) }
        try record(.retentionRemove, model: subject.model, facts: subject.facts)
    }

    /// Notes what an application of a policy came to, with an event.
    package func noteRetention(
        of subject: RetentionSubject, _ sum: RetentionSum, automatic: Bool
    ) throws {
        try connection.execute(
            """
            UPDATE retention_policies SET applied_at_us = ?, applied_items = ?, applied_bytes = ?,
                applied_automatically = ?
            WHERE kind = ? AND subject = ?
            """,
            [
                .time(now), try .count(sum.freed, of: "number of items"),
                try .count(sum.freedBytes, of: "bytes"), .bool(automatic),
            ] + (try reader.key(of: subject)))
        var facts = subject.facts
        facts["items"] = .int(Int64(clamping: sum.freed))
        facts["bytes"] = .int(Int64(clamping: sum.freedBytes))
        facts["plan"] = .string("\(sum.plan)")
        facts["automatic"] = .int(automatic ? 1 : 0)
        try record(.retentionApply, model: subject.model, facts: facts)
    }
}

extension CatalogReader {
    /// - Parameter subject: one that has no policy.
    package static func noPolicy(_ subject: RetentionSubject) -> LinajeError {
        LinajeError(
            .notFound,
            "\(subject) has no retention policy; linaje retention list shows what has one")
    }
}
