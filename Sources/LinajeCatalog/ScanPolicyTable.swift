package import LinajeDomain
import LinajePluginKit

/// What verdicts block for a registered model, and for which versions somebody answers.
///
/// ```
/// scan_policies     model_id*  verdict_none?  verdict_safe?  verdict_unknown?  verdict_dangerous?
///                                                    BlockedUses as text; NULL: the daemon decides
/// risk_acceptances  version_id*  verdict  reason  principal  at_us
/// ```
enum ScanPolicyTable {
    static let migration = SQLMigration(
        "18 scan policies",
        [
            """
            CREATE TABLE scan_policies (
                model_id BIGINT NOT NULL PRIMARY KEY,
                verdict_none TEXT,
                verdict_safe TEXT,
                verdict_unknown TEXT,
                verdict_dangerous TEXT)
            """,
            """
            CREATE TABLE risk_acceptances (
                version_id BIGINT NOT NULL PRIMARY KEY,
                verdict TEXT NOT NULL,
                reason TEXT NOT NULL,
                principal TEXT NOT NULL,
                at_us BIGINT NOT NULL)
            """,
        ])

    /// In the order of `JudgedAs.allCases`.
    static let columns = JudgedAs.allCases.map { "verdict_\($0.rawValue)" }.joined(separator: ", ")
}

extension ModelVersion {
    /// Fills in what follows from the policy of its model and what was accepted of it.
    mutating func judge(by policy: ScanPolicy, _ acceptance: RiskAcceptance?) {
        let verdict = JudgedAs(model.verdict)
        self.acceptance = acceptance
        blocked = acceptance?.covers(verdict) == true ? .nothing : policy.blocked(verdict)
    }
}

extension CatalogReader {
    /// What the models' own policies say; models without one are left out.
    func ownPolicies(of models: [SQLValue]) throws -> [SQLValue: ScanPolicy] {
        let models = Array(Set(models))
        guard !models.isEmpty else { return [:] }
        var out: [SQLValue: ScanPolicy] = [:]
        try connection.query(
            """
            SELECT model_id, \(ScanPolicyTable.columns) FROM scan_policies
            WHERE model_id IN (\(placeholders(models.count)))
            """, models
        ) { row in
            var policy = ScanPolicy()
            for (index, verdict) in JudgedAs.allCases.enumerated() where !row.isNull(index + 1) {
                policy[verdict] = try BlockedUses(parsing: try row.text(index + 1))
            }
            out[row[0]] = policy
        }
        return out
    }

    /// For which versions, by their internal ids, somebody answers.
    func acceptances(of versions: [SQLValue]) throws -> [SQLValue: RiskAcceptance] {
        guard !versions.isEmpty else { return [:] }
        var out: [SQLValue: RiskAcceptance] = [:]
        try connection.query(
            """
            SELECT version_id, verdict, reason, principal, at_us FROM risk_acceptances
            WHERE version_id IN (\(placeholders(versions.count)))
            """, versions
        ) { row in
            out[row[0]] = RiskAcceptance(
                verdict: try row.choice(1), reason: try row.text(2), principal: try row.text(3),
                at: try row.time(4))
        }
        return out
    }

    /// What a models:/ URI points at now, for somebody who will load it.
    ///
    /// - Throws: `notFound` saying which part is missing; `failedPrecondition` for a version whose
    ///   verdict blocks that.
    package func resolveForLoading(_ uri: ModelURI) throws -> ResolvedModel {
        let found = try resolve(uri)
        if case .version(let version) = found { try require(.loading, of: version) }
        return found
    }

    /// - Throws: `failedPrecondition` naming version, verdict, policy and what to do, when the policy
    ///   blocks this use of the version.
    func require(_ use: ModelUse, of version: ModelVersion) throws {
        guard version.blocked.contains(use) else { return }
        let uri = ModelURI.version(name: version.name, version: version.version)
        let act = use == .loading ? "loaded" : "promoted"
        throw try refusal(
            "\(uri) is not \(act)", of: version.name, version.model.verdict,
            advice: "look at it (linaje model show \(uri)); an approver can answer for it: linaje "
                + "model accept \(uri) --reason \"…\"",
            details: ["version": String(version.version)])
    }

    /// - Throws: `failedPrecondition` when the policy does not let such a version be registered.
    func requireRegistration(of new: NewVersion) throws {
        let verdict = JudgedAs(new.model.verdict)
        guard try policy(of: new.name).blocked(verdict).contains(.registration) else { return }
        let finding =
            new.model.findings.first { $0.severity == .danger }
            ?? new.model.findings.first { $0.severity == .warning }
        let found = finding.map { finding in
            let place = finding.path.isEmpty ? "" : "\(finding.path): "
            return " (\(place)\(finding.message))"
        }
        throw try refusal(
            "\(new.source) is not registered as a version of \"\(new.name)\"", of: new.name,
            new.model.verdict, found: found ?? "",
            advice: "register another one, or an approver lets such versions in: linaje model "
                + "policy \(new.name) --\(verdict.rawValue) promotion")
    }

    /// What verdicts block for a model, there or not.
    private func policy(of name: String) throws -> ScanPolicy {
        try ownPolicy(of: name).over(scanPolicy)
    }

    private func ownPolicy(of name: String) throws -> ScanPolicy {
        guard let id = try modelIDIfThere(name) else { return ScanPolicy() }
        return try ownPolicies(of: [.integer(id)])[.integer(id)] ?? ScanPolicy()
    }

    private func refusal(
        _ what: String, of name: String, _ verdict: ScanVerdict?, found: String = "",
        advice: String, details: [String: String] = [:]
    ) throws -> LinajeError {
        let judged = JudgedAs(verdict)
        let own = try ownPolicy(of: name)
        let whose = own[judged] == nil ? "the daemon's policy" : "the policy of \"\(name)\""
        let policy = own.over(scanPolicy).blocked(judged)
        let verdict = judged == .none ? "it has no verdict" : "its verdict is \(judged.rawValue)"
        var details = details
        details["model"] = name
        details["verdict"] = judged.rawValue
        details["blocked"] = policy.description
        return LinajeError(
            .failedPrecondition,
            "\(what): \(verdict)\(found), and \(whose) blocks \(policy) for that; \(advice)",
            details: details)
    }
}

extension CatalogTransaction {
    /// Changes what verdicts block for a model, with an event when that is something else now.
    ///
    /// Versions that were promoted stay where they are.
    /// - Throws: `notFound`; `invalidArgument` for changes that say nothing or two things.
    package func setScanPolicy(
        of name: String, _ changes: ScanPolicyChanges
    ) throws -> RegisteredModel {
        let changes = try changes.checked()
        let id = try reader.modelID(name)
        let old = try reader.ownPolicies(of: [.integer(id)])[.integer(id)] ?? ScanPolicy()
        var new = changes.set.over(old)
        for verdict in changes.reset { new[verdict] = nil }
        guard new != old else { return try reader.registeredModel(name) }
        try forgetPolicy(ofModel: id)
        if !new.isEmpty {
            try connection.execute(
                """
                INSERT INTO scan_policies (model_id, \(ScanPolicyTable.columns))
                VALUES (?, ?, ?, ?, ?)
                """,
                [.integer(id)] + JudgedAs.allCases.map { .optional(new[$0]?.description) })
        }
        var facts: [String: CanonicalJSON.Value] = [:]
        for verdict in JudgedAs.allCases where new[verdict] != old[verdict] {
            facts[verdict.rawValue] = .string(new[verdict]?.description ?? "default")
        }
        try record(.policySet, model: name, facts: facts)
        try touch(model: id)
        return try reader.registeredModel(name)
    }

    func forgetPolicy(ofModel id: Int64) throws {
        try connection.execute("DELETE FROM scan_policies WHERE model_id = ?", [.integer(id)])
    }

    /// Notes that the caller answers for a version in spite of its verdict, in the place of who did
    /// before; that lifts what the verdict blocks.
    ///
    /// - Parameter expected: The tree that was looked at; `nil`: whatever the version is.
    /// - Throws: `notFound`; `invalidArgument` without a reason; `conflict` when it is another tree.
    package func acceptRisk(
        of name: String, _ version: UInt64, reason: String, expected: SHA256Digest? = nil
    ) throws -> ModelVersion {
        let (model, id) = try ids(name, version)
        let reason = try Names.text(reason, of: "reason")
        guard reason.contains(where: { !$0.isWhitespace }) else {
            throw LinajeError(
                .invalidArgument,
                "reason for accepting the risk of version \(version) of \"\(name)\" is empty; say "
                    + "why it may be used")
        }
        let found = try reader.modelVersion(name, version)
        guard expected == nil || expected == found.tree else {
            throw LinajeError(
                .conflict,
                "version \(version) of \"\(name)\" is tree:sha256:\(found.tree), not the tree that was "
                    + "looked at: the model was renamed or made anew; look at it again",
                details: ["tree": found.tree.description])
        }
        let verdict = JudgedAs(found.model.verdict)
        try connection.execute(
            """
            INSERT INTO risk_acceptances (version_id, verdict, reason, principal, at_us)
            VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (version_id) DO UPDATE SET verdict = excluded.verdict,
                reason = excluded.reason, principal = excluded.principal, at_us = excluded.at_us
            """,
            [
                .integer(id), .text(verdict.rawValue), .text(reason), .text(principal.name),
                .time(now),
            ])
        try record(
            .riskAccept, model: name, version: version,
            facts: ["verdict": .string(verdict.rawValue), "reason": .string(reason)])
        try touch(version: id, of: model)
        return try reader.modelVersion(name, version)
    }

    /// Notes that nobody answers for a version any more. Where it was promoted to, it stays.
    ///
    /// - Throws: `notFound`, also when nobody does.
    package func withdrawAcceptance(
        of name: String, _ version: UInt64, reason: String
    ) throws -> ModelVersion {
        let (model, id) = try ids(name, version)
        let reason = try Names.text(reason, of: "reason")
        let removed = try connection.execute(
            "DELETE FROM risk_acceptances WHERE version_id = ?", [.integer(id)])
        guard removed > 0 else {
            throw LinajeError(
                .notFound,
                "nobody has accepted the risk of version \(version) of \"\(name)\"; there is "
                    + "nothing to withdraw")
        }
        try record(
            .riskWithdraw, model: name, version: version, facts: ["reason": .string(reason)])
        try touch(version: id, of: model)
        return try reader.modelVersion(name, version)
    }
}
