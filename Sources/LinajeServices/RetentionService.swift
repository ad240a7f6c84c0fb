import LinajeArtifacts
package import LinajeCatalog
package import LinajeDomain
import LinajeMetrics
import Logging

/// Policies of what is kept of experiments and registered models: shown, then applied.
///
/// It only takes away what needs content, in transactions of the catalog; the content itself goes by
/// the garbage collection, with its grace time.
package struct RetentionService: Sendable {
    let catalog: CatalogStore
    let metrics: MetricService
    let index: MetricIndexService
    let clock: any WallClock
    let logger: Logger

    /// Items that one transaction lets go of.
    static let batchItems = 512
    /// Reads of what else needs a tree that are done in one go.
    private static let batchTrees = 256

    package func set(
        _ subject: RetentionSubject, _ rules: RetentionRules, automatic: Bool,
        _ change: Change<RetentionPolicy>
    ) async throws -> RetentionPolicy {
        try await catalog.change(change) {
            try $0.setRetention(of: subject, rules, automatic: automatic)
        }
    }

    package func remove(_ subject: RetentionSubject, _ change: Change<Void>) async throws {
        try await catalog.change(change) { try $0.removeRetention(of: subject) }
    }

    /// All policies, or the one of a subject.
    ///
    /// - Throws: `notFound` for a subject that has none.
    package func policies(of subject: RetentionSubject?) async throws -> [RetentionPolicy] {
        guard let subject else { return try await catalog.read { try $0.retentionPolicies() } }
        return [try await policy(of: subject)]
    }

    /// Tells what a policy would do now, or what `rules` would do.
    ///
    /// - Throws: `notFound` for a subject without a policy; `invalidArgument` for rules that say nothing.
    package func plan(
        _ subject: RetentionSubject, _ rules: RetentionRules?,
        report: (RetentionNews) async throws -> Void
    ) async throws {
        var wanted = try rules?.checked()
        if wanted == nil { wanted = try await policy(of: subject).rules }
        guard let wanted else { throw CatalogReader.noPolicy(subject) }
        let plan = try await make(subject, wanted)
        for step in plan.steps { try await report(.item(step.line)) }
        try await report(.sum(plan.sum))
    }

    /// Does what a plan has shown, and tells what became of each item that was to go.
    ///
    /// - Parameter shown: the digest of the plan.
    /// - Throws: `conflict` when the policy would do something else now; `notFound` without a policy.
    package func apply(
        _ subject: RetentionSubject, plan shown: SHA256Digest, by principal: Principal,
        report: (RetentionNews) async throws -> Void
    ) async throws {
        let policy = try await policy(of: subject)
        let plan = try await make(subject, policy.rules)
        guard plan.sum.plan == shown else {
            throw LinajeError(
                .conflict,
                "retention policy of \(subject) would do something else now than the plan \(shown) has "
                    + "shown, and has done nothing; look at the new plan",
                details: ["plan": "\(plan.sum.plan)"])
        }
        // What has begun is finished, and told by the ledger, also when the caller leaves.
        let (lines, sum) = try await Task {
            try await apply(plan, to: subject, automatic: false, by: principal)
        }.value
        for line in lines { try await report(.item(line)) }
        try await report(.sum(sum))
    }

    /// Applies all policies that are to be applied without being asked; one that fails does not keep the
    /// others.
    ///
    /// - Returns: how many items were let go of, their bytes, and how many policies failed; `nil` when no
    ///   policy is automatic.
    package func applyAutomatic() async throws -> (items: UInt64, bytes: UInt64, failed: Int)? {
        let policies = try await catalog.read { try $0.retentionPolicies(automatic: true) }
        guard !policies.isEmpty else { return nil }
        var done: (items: UInt64, bytes: UInt64, failed: Int) = (0, 0, 0)
        for policy in policies {
            do {
                let plan = try await make(policy.subject, policy.rules)
                if let note = plan.note {
                    logger.warning(
                        "retention policy of \(policy.subject) does nothing: no item has a value of metric \"\(policy.rules.metric)\"; \(note)"
                    )
                }
                guard plan.sum.freed > 0 else { continue }
                let (_, sum) = try await apply(
                    plan, to: policy.subject, automatic: true, by: Self.daemon)
                done.items += sum.freed
                done.bytes += sum.freedBytes
                logger.notice(
                    "retention policy of \(policy.subject): \(sum.freed) let go of, \(ByteCount(sum.freedBytes))"
                )
            } catch let error as LinajeError where error.code != .cancelled {
                done.failed += 1
                logger.error("retention policy of \(policy.subject) failed: \(error)")
            }
        }
        return done
    }

    // MARK: Plans

    /// What is to be done with each item, and what it comes to.
    private struct Plan: Sendable {
        var steps: [(verdict: RetentionVerdict, line: RetentionLine)]
        var sum: RetentionSum
        /// What there is instead of a metric that no item has, so that nothing goes.
        var note: String?
    }

    private func policy(of subject: RetentionSubject) async throws -> RetentionPolicy {
        guard let found = try await catalog.read({ try $0.retentionPolicy(of: subject) }) else {
            throw CatalogReader.noPolicy(subject)
        }
        return found
    }

    private func make(_ subject: RetentionSubject, _ rules: RetentionRules) async throws -> Plan {
        if !rules.metric.isEmpty { try await index.catchUp() }
        let items = try await catalog.read {
            try $0.retentionItems(of: subject, metric: rules.metric)
        }
        let valued = rules.metric.isEmpty ? items : try await withValues(items, of: rules.metric)
        let note =
            rules.lacksValues(in: valued)
            ? try await whatThereIs(instead: rules.metric, of: valued) : nil
        let verdicts = Self.withSources(rules.verdicts(on: valued, at: clock.now()))
        let freed = try await freedBytes(verdicts)
        var steps: [(verdict: RetentionVerdict, line: RetentionLine)] = []
        var sum = RetentionSum(plan: Self.digest(subject, verdicts))
        for (index, verdict) in verdicts.enumerated() {
            var line = RetentionLine(verdict)
            if verdict.isKept {
                sum.kept += 1
                sum.keptBytes = sum.keptBytes.adding(line.size)
                if let note { line.reasons.append(note) }
            } else {
                line.freed = freed[index]?.bytes ?? 0
                if let need = freed[index]?.need { line.reasons.append("content stays: \(need)") }
                sum.freed += 1
                sum.freedBytes = sum.freedBytes.adding(line.freed)
            }
            steps.append((verdict, line))
        }
        return Plan(steps: steps, sum: sum, note: note)
    }

    /// Says which metrics the newest runs have, for somebody who has named one that they have not.
    private func whatThereIs(
        instead metric: String, of items: [RetentionItem]
    ) async throws -> String {
        var runs: [RunID] = []
        for item in items.sorted(by: { $0.createdAt > $1.createdAt }) where runs.count < 4 {
            if let run = item.run, !runs.contains(run) { runs.append(run) }
        }
        let wanted = runs
        let names = try await catalog.read { reader in
            Set(try wanted.flatMap { try reader.metricNames(of: $0) }).sorted()
        }
        if let meant = NearestName.of(metric, among: names), meant != metric {
            return "did you mean \(meant)?"
        }
        guard !names.isEmpty else { return "their runs have no metrics" }
        return "their runs have \(names.prefix(5).joined(separator: ", "))"
            + (names.count > 5 ? ", …" : "")
    }

    /// Leaves those sources that go: when no version that stays, of whatever model, has the content.
    private static func withSources(_ verdicts: [RetentionVerdict]) -> [RetentionVerdict] {
        var going: [SHA256Digest: Int] = [:]
        for verdict in verdicts where !verdict.isKept {
            if let tree = verdict.item.parts.first?.tree { going[tree, default: 0] += 1 }
        }
        return verdicts.map { verdict in
            var verdict = verdict
            let tree = verdict.item.parts.first?.tree
            let others = verdict.item.versions - (tree.flatMap { going[$0] } ?? 0)
            if verdict.isKept || others > 0 { verdict.item.sources = [] }
            return verdict
        }
    }

    /// Bytes of each item that goes that nothing needs then, each tree with the first of its items; else
    /// what needs them.
    private func freedBytes(
        _ verdicts: [RetentionVerdict]
    ) async throws -> [Int: (bytes: UInt64, need: String?)] {
        var parts: [SHA256Digest: Set<RetentionPart>] = [:]
        var trees: [(index: Int, tree: SHA256Digest, size: UInt64)] = []
        for (index, verdict) in verdicts.enumerated() where !verdict.isKept {
            for part in verdict.item.parts + verdict.item.sources {
                if parts[part.tree] == nil { trees.append((index, part.tree, part.size)) }
                parts[part.tree, default: []].insert(part)
            }
        }
        let now = clock.now()
        var out: [Int: (bytes: UInt64, need: String?)] = [:]
        for start in stride(from: 0, to: trees.count, by: Self.batchTrees) {
            let batch = Array(trees[start..<min(trees.count, start + Self.batchTrees)])
            let gone = batch.map { Array(parts[$0.tree] ?? []) }
            let needs = try await catalog.read { reader in
                try zip(batch, gone).map {
                    try reader.otherNeed(of: $0.tree, without: $1, now: now)
                }
            }
            for (place, need) in zip(batch, needs) {
                let known = out[place.index] ?? (0, nil)
                out[place.index] =
                    need == nil
                    ? (known.bytes.adding(place.size), known.need)
                    : (known.bytes, known.need ?? need)
            }
        }
        return out
    }

    /// Names what would be let go of.
    private static func digest(
        _ subject: RetentionSubject, _ verdicts: [RetentionVerdict]
    ) -> SHA256Digest {
        var hasher = ContentHasher()
        hasher.update(Array("linaje retention plan 1\n\(subject)\n".utf8))
        for item in verdicts.lazy.filter({ !$0.isKept }).map(\.item).sorted(by: {
            $0.name < $1.name
        }) {
            hasher.update(Array("\(item.name)\n".utf8))
            for part in item.parts + item.sources {
                hasher.update(Array("  \(part.place) \(part.tree)\n".utf8))
            }
        }
        return hasher.digest
    }

    // MARK: Values

    /// The items, checkpoints with the run's metric as it was at their step: the last point at or before
    /// it. What was logged about a model itself stays.
    private func withValues(
        _ items: [RetentionItem], of metric: String
    ) async throws -> [RetentionItem] {
        var runs: [RunID: [Int]] = [:]
        for (index, item) in items.enumerated() {
            guard let run = item.run, item.metricStep != nil else { continue }
            runs[run, default: []].append(index)
        }
        var out = items
        for (run, places) in runs {
            let steps = Set(places.compactMap { items[$0].metricStep }).sorted()
            let values = try await values(of: metric, in: run, at: steps)
            for place in places {
                out[place].value = items[place].metricStep.flatMap { values[$0] }
            }
        }
        return out
    }

    /// - Parameter steps: in their order.
    private func values(
        of metric: String, in run: RunID, at steps: [Int64]
    ) async throws -> [Int64: Double] {
        guard let last = steps.last else { return [:] }
        var found = [(step: Int64, value: Double)?](repeating: nil, count: steps.count)
        do {
            let query = MetricQuery(keys: [metric], steps: Int64.min...last)
            for try await (series, points) in try await metrics.history(run, query)
            where series.modelID == nil {
                for index in 0..<points.count {
                    let step = points.steps[index]
                    let place = steps.partitioningIndex { $0 >= step }
                    guard place < steps.count, step >= found[place]?.step ?? .min else { continue }
                    found[place] = (step, points.values[index])
                }
            }
        } catch let error as LinajeError where error.code == .notFound {
            // Deleted for good meanwhile.
            return [:]
        }
        var out: [Int64: Double] = [:]
        var known: Double?
        for (step, point) in zip(steps, found) {
            known = point?.value ?? known
            out[step] = known
        }
        return out
    }

    // MARK: Applications

    private func apply(
        _ plan: Plan, to subject: RetentionSubject, automatic: Bool, by principal: Principal
    ) async throws -> (lines: [RetentionLine], sum: RetentionSum) {
        var sum = plan.sum
        sum.isApplied = true
        let going = plan.steps.filter { !$0.verdict.isKept }
        guard !going.isEmpty else { return ([], sum) }
        var told: [RetentionLine] = []
        for start in stride(from: 0, to: going.count, by: Self.batchItems) {
            let batch = going[start..<min(going.count, start + Self.batchItems)]
            let items = batch.map { (item: $0.verdict.item, bytes: $0.line.freed) }
            let stayed = try await catalog.change(
                .untracked(by: principal)
            ) { try $0.letGo(items, of: subject, plan: plan.sum.plan) }
            for var line in batch.map(\.line) {
                if let reason = stayed[line.name] {
                    sum.freed -= 1
                    sum.freedBytes -= line.freed
                    sum.kept += 1
                    sum.keptBytes = sum.keptBytes.adding(line.size)
                    (line.isKept, line.freed, line.reasons) = (true, 0, [reason])
                }
                told.append(line)
            }
        }
        let done = sum
        try await catalog.change(.untracked(by: principal)) {
            try $0.noteRetention(of: subject, done, automatic: automatic)
        }
        return (told, sum)
    }

    private static let daemon = Principal(name: "daemon", role: .admin, door: "daemon")
}

extension RetentionLine {
    fileprivate init(_ verdict: RetentionVerdict) {
        let item = verdict.item
        var trees: [SHA256Digest] = []
        for part in item.parts where !trees.contains(part.tree) { trees.append(part.tree) }
        self.init(
            name: item.name, isKept: verdict.isKept, reasons: verdict.reasons, size: item.size,
            step: item.step, createdAt: item.createdAt, value: item.value, trees: trees)
    }
}

extension UInt64 {
    fileprivate func adding(_ other: UInt64) -> UInt64 {
        let (sum, isOver) = addingReportingOverflow(other)
        return isOver ? .max : sum
    }
}

extension [Int64] {
    /// The first place from which on all are so, in an array in which none is before one that is not.
    fileprivate func partitioningIndex(_ isSo: (Int64) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isSo(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
