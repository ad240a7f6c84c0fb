/// Which of several items stay. What no rule keeps is let go; `maxBytes` then lets go of the oldest
/// that are kept until the rest fits, the best last.
public struct RetentionRules: Sendable, Hashable {
    /// The best so many by `metric`; 0: none for that reason.
    public var best: Int
    public var metric: String
    /// Whether more is better.
    public var isMaximum: Bool
    /// The newest so many; 0: none for that reason.
    public var last: Int
    /// Those younger than that; zero: none for that reason.
    public var maxAge: Duration
    /// Those whose step, or number of version, is a multiple of it; 0: none for that reason.
    public var everyStep: Int64
    /// Bytes that all may have together; 0: as many as they have.
    public var maxBytes: UInt64
    /// Whether numbers and bytes are those of each run, rather than of all together.
    public var isPerRun: Bool

    public init(
        best: Int = 0, metric: String = "", isMaximum: Bool = false, last: Int = 0,
        maxAge: Duration = .zero, everyStep: Int64 = 0, maxBytes: UInt64 = 0,
        isPerRun: Bool = false
    ) {
        self.best = best
        self.metric = metric
        self.isMaximum = isMaximum
        self.last = last
        self.maxAge = maxAge
        self.everyStep = everyStep
        self.maxBytes = maxBytes
        self.isPerRun = isPerRun
    }

    /// Whether a rule says what stays; without one all stay that fit.
    public var hasKeepRule: Bool { best > 0 || last > 0 || maxAge > .zero || everyStep > 0 }

    /// - Throws: `invalidArgument` for rules that say nothing or contradict themselves.
    public func checked() throws -> RetentionRules {
        guard best >= 0, last >= 0, everyStep >= 0, maxAge >= .zero else {
            throw LinajeError(.invalidArgument, "a number of the policy is negative")
        }
        guard maxAge <= Self.longestAge, maxBytes <= UInt64(Int64.max) else {
            throw LinajeError(
                .invalidArgument, "a number of the policy is too large; leave its rule out")
        }
        guard hasKeepRule || maxBytes > 0 else {
            throw LinajeError(
                .invalidArgument, "policy says nothing; give at least one rule, or remove it")
        }
        guard (best == 0) == metric.isEmpty else {
            throw LinajeError(
                .invalidArgument,
                best > 0
                    ? "policy keeps the best and does not say by which metric"
                    : "policy has a metric and does not say how many of the best it keeps")
        }
        if !metric.isEmpty { _ = try Names.key(metric, of: "metric") }
        return self
    }

    private static let longestAge = Duration.seconds(100 * 366 * 86_400)

    /// The rules for people: "best 3 by loss, last 5, younger than 30d, at most 1.0 GiB, each run".
    public var text: String {
        var out: [String] = []
        if best > 0 { out.append("best \(best) by \(isMaximum ? "highest" : "lowest") \(metric)") }
        if last > 0 { out.append("last \(last)") }
        if maxAge > .zero { out.append("younger than \(Self.text(maxAge))") }
        if everyStep > 0 { out.append("every step that is a multiple of \(everyStep)") }
        if maxBytes > 0 { out.append("at most \(ByteCount(maxBytes)) together") }
        if isPerRun { out.append("in each run") }
        return out.joined(separator: ", ")
    }

    /// An age as it is given: "30d", "12h".
    static func text(_ age: Duration) -> String {
        let seconds = age.components.seconds
        let units: [(Int64, String)] = [(86_400, "d"), (3_600, "h"), (60, "m")]
        for (length, unit) in units where seconds % length == 0 {
            return "\(seconds / length)\(unit)"
        }
        return "\(seconds)s"
    }
}

extension RetentionRules {
    /// Whether the best are to be kept and none of the items has a number to tell which they are: the
    /// metric's name may be a mistake.
    public func lacksValues(in items: [RetentionItem]) -> Bool {
        best > 0 && !items.isEmpty && items.allSatisfy { $0.value?.isNaN ?? true }
    }

    /// What stays and what goes, newest first. Of equal values the newer one is better; one without a
    /// value, or with NaN, is never among the best. When no item has a value all of them stay.
    public func verdicts(on items: [RetentionItem], at now: Timestamp) -> [RetentionVerdict] {
        let newestFirst = items.sorted {
            ($0.createdAt.microseconds, $0.step, $0.name)
                > ($1.createdAt.microseconds, $1.step, $1.name)
        }
        if lacksValues(in: items) {
            let why = "no item has a value of metric \"\(metric)\": nothing is let go of"
            return newestFirst.map {
                RetentionVerdict(
                    item: $0, isKept: true, reasons: [$0.protection, why].compactMap { $0 })
            }
        }
        var groups: [RunID?: [Int]] = [:]
        for (index, item) in newestFirst.enumerated() {
            groups[isPerRun ? item.run : nil, default: []].append(index)
        }
        var verdicts: [Int: RetentionVerdict] = [:]
        for places in groups.values {
            let group = self.verdicts(onGroup: places.map { newestFirst[$0] }, at: now)
            for (place, verdict) in zip(places, group) { verdicts[place] = verdict }
        }
        return newestFirst.indices.compactMap { verdicts[$0] }
    }

    /// - Parameter items: newest first.
    private func verdicts(
        onGroup items: [RetentionItem], at now: Timestamp
    ) -> [RetentionVerdict] {
        let ranked = items.indices.filter { items[$0].value.map { !$0.isNaN } ?? false }
            .sorted { left, right in
                let (a, b) = (items[left].value ?? 0, items[right].value ?? 0)
                return a == b ? left < right : isMaximum ? a > b : a < b
            }
        var ranks: [Int: Int] = [:]
        for (rank, index) in ranked.prefix(best).enumerated() { ranks[index] = rank + 1 }
        var verdicts = items.enumerated().map { index, item in
            verdict(on: item, place: index + 1, rank: ranks[index], at: now)
        }
        if maxBytes > 0 { fit(&verdicts, ranks) }
        return verdicts
    }

    private func verdict(
        on item: RetentionItem, place: Int, rank: Int?, at now: Timestamp
    ) -> RetentionVerdict {
        var reasons: [String] = []
        if let protection = item.protection { reasons.append(protection) }
        if let rank { reasons.append("number \(rank) by \(metric)") }
        if place <= last { reasons.append("among the last \(last)") }
        let (age, isOver) = now.microseconds.subtractingReportingOverflow(
            item.createdAt.microseconds)
        if maxAge > .zero, !isOver, .microseconds(age) < maxAge {
            reasons.append("younger than \(Self.text(maxAge))")
        }
        if everyStep > 0, item.step % everyStep == 0 {
            reasons.append("step \(item.step) is a multiple of \(everyStep)")
        }
        let isKept = !reasons.isEmpty || !hasKeepRule
        if reasons.isEmpty { reasons = [isKept ? "there is room" : "no rule keeps it"] }
        return RetentionVerdict(item: item, isKept: isKept, reasons: reasons)
    }

    /// Lets go of what is kept until it fits: the oldest first, the best only after all others.
    private func fit(_ verdicts: inout [RetentionVerdict], _ ranks: [Int: Int]) {
        var sum: UInt64 = 0
        for verdict in verdicts where verdict.isKept {
            let (next, isOver) = sum.addingReportingOverflow(verdict.item.size)
            sum = isOver ? .max : next
        }
        let order =
            verdicts.indices.reversed().filter { ranks[$0] == nil }
            + ranks.sorted { $0.value > $1.value }.map(\.key)
        for index in order where sum > maxBytes {
            let verdict = verdicts[index]
            guard verdict.isKept, verdict.item.protection == nil else { continue }
            sum -= min(sum, verdict.item.size)
            verdicts[index].isKept = false
            verdicts[index].reasons = ["more than \(ByteCount(maxBytes)) together"]
        }
    }
}

/// A folder of a run's artifacts that is named after a step: "checkpoint-500", "ckpt_500",
/// "step=500", "global_step500", "epoch-3", "iter_500".
public struct CheckpointFolder: Sendable, Hashable {
    /// The folder, without what is below it.
    public var path: String
    public var step: Int64

    private static let words: Set<String> = [
        "checkpoint", "ckpt", "step", "global_step", "epoch", "iter", "iteration",
    ]

    /// The checkpoint that an upload to `path` belongs to: the first folder of it with such a name, in
    /// any case; `nil` when none has.
    public init?(of path: String) {
        var taken: [Substring] = []
        for name in path.split(separator: "/", omittingEmptySubsequences: false) {
            taken.append(name)
            guard let step = Self.step(of: name) else { continue }
            self.path = taken.joined(separator: "/")
            self.step = step
            return
        }
        return nil
    }

    private static func step(of name: Substring) -> Int64? {
        let digits = name.reversed().prefix { $0.isASCII && $0.isNumber }.count
        guard digits > 0, let step = Int64(name.suffix(digits)) else { return nil }
        var word = name.dropLast(digits)
        if let mark = word.last, "-_=.".contains(mark) { word = word.dropLast() }
        return words.contains(word.lowercased()) ? step : nil
    }
}
