import LinajeClient
import LinajeDomain

/// What made the models: runs, their params, metrics, data, code and environment.
extension ModelDiff {
    static func params(_ before: [Param], _ after: [Param]) -> [Entry] {
        func table(_ params: [Param]) -> [String: ParamValue] {
            Dictionary(params.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        }
        let (old, new) = (table(before), table(after))
        return Set(old.keys).union(new.keys).sorted().compactMap { key in
            switch (old[key], new[key]) {
            case (let one?, let other?):
                one == other ? nil : .changed(key, "\(one)", "\(other)")
            case (let one?, nil): .removed(key, "\(one)")
            case (nil, let other?): .added(key, "\(other)")
            case (nil, nil): nil
            }
        }
    }

    /// Last values, with the difference.
    static func metrics(_ before: [MetricSummary], _ after: [MetricSummary]) -> [Entry] {
        func table(_ found: [MetricSummary]) -> [String: Double] {
            Dictionary(
                found.map { summary in
                    let about = summary.series.datasetName
                    let key = summary.series.key + (about.isEmpty ? "" : " on \(about)")
                    return (key, summary.last.value)
                }, uniquingKeysWith: { $1 })
        }
        let (old, new) = (table(before), table(after))
        return Set(old.keys).union(new.keys).sorted().compactMap { key in
            switch (old[key], new[key]) {
            case (let one?, let other?):
                guard one != other, !(one.isNaN && other.isNaN) else { return nil }
                return .changed(
                    key, Rendering.exact(one), Rendering.exact(other), note: delta(one, other))
            case (let one?, nil): return .removed(key, Rendering.exact(one))
            case (nil, let other?): return .added(key, Rendering.exact(other))
            case (nil, nil): return nil
            }
        }
    }

    /// "+0.02 (+2.5 %)"; empty where there is no such number.
    private static func delta(_ before: Double, _ after: Double) -> String {
        let change = after - before
        guard change.isFinite else { return "" }
        let sign = change < 0 ? "" : "+"
        let part = change / before.magnitude * 100
        let percent = part.isFinite ? " (\(sign)\(Rendering.decimal(part, 1)) %)" : ""
        return sign + Rendering.number(change) + percent
    }

    /// Data sets by name and purpose; those with digests of one kind are told apart by them alone.
    static func data(_ before: [DatasetInput], _ after: [DatasetInput]) -> [Entry] {
        func table(_ found: [DatasetInput]) -> [String: [DatasetInput]] {
            Dictionary(
                grouping: found, by: { $0.name + ($0.context.isEmpty ? "" : " (\($0.context))") })
        }
        let (old, new) = (table(before), table(after))
        return Set(old.keys).union(new.keys).sorted().compactMap { key in
            switch (old[key], new[key]) {
            case (let one?, let other?):
                let isSame =
                    one.count == other.count
                    && zip(sorted(one), sorted(other)).allSatisfy { isSameContent($0, $1) }
                return isSame ? nil : .changed(key, text(one), text(other))
            case (let one?, nil): return .removed(key, text(one))
            case (nil, let other?): return .added(key, text(other))
            case (nil, nil): return nil
            }
        }
    }

    private static func sorted(_ data: [DatasetInput]) -> [DatasetInput] {
        data.sorted { text([$0]) < text([$1]) }
    }

    private static func isSameContent(_ one: DatasetInput, _ other: DatasetInput) -> Bool {
        for digest in one.digests {
            guard let same = other.digests.first(where: { $0.algorithm == digest.algorithm })
            else { continue }
            return same == digest
        }
        return one.clientDigest == other.clientDigest && one.source == other.source
            && one.size == other.size
    }

    private static func text(_ data: [DatasetInput]) -> String {
        data.map { input in
            let digest = input.digests.first.map { "\($0)".prefix(19) } ?? input.clientDigest[...]
            let size = input.size > 0 ? "\(ByteCount(input.size))" : ""
            let parts = [String(digest), size].filter { !$0.isEmpty }
            return parts.isEmpty
                ? (input.source.isEmpty ? "no digest" : input.source)
                : parts.joined(separator: " ")
        }.joined(separator: ", ")
    }

    static func code(_ first: Run?, _ second: Run?) -> [Entry] {
        guard let before = first?.provenance, let after = second?.provenance else { return [] }
        func table(_ made: Provenance) -> [String: String] {
            [
                "commit": made.git?.commit ?? "", "branch": made.git?.branch ?? "",
                "remote": made.git?.remote ?? "",
                "work tree": made.git.map { $0.isDirty ? "changed" : "as committed" } ?? "",
                "entry point": made.entryPoint, "arguments": made.argv.joined(separator: " "),
                "notebook": made.notebook,
            ].filter { !$0.value.isEmpty }
        }
        var out = entries(table(before), table(after))
        if let old = before.git, let new = after.git, old.isDirty, new.isDirty,
            old.commit == new.commit, first?.id != second?.id
        {
            out.append(
                .changed(
                    "work tree", "changed", "changed",
                    note: "both have changes that are not committed; see the runs' patches"))
        }
        return out
    }

    static func environment(_ before: Run?, _ after: Run?) -> [Entry] {
        guard let before = before?.provenance, let after = after?.provenance else { return [] }
        func table(_ made: Provenance) -> [String: String] {
            var out = [
                "language": made.language, "system": made.os, "kernel": made.kernel,
                "processor": made.cpu, "GPUs": made.gpus.joined(separator: ", "),
                "container": made.containerIdentity?.image ?? "",
                "memory": made.memoryBytes > 0 ? "\(ByteCount(made.memoryBytes))" : "",
            ].filter { !$0.value.isEmpty }
            for (name, version) in made.packages { out["package \(name)"] = version }
            for (name, value) in made.environment { out["variable \(name)"] = value }
            return out
        }
        return entries(table(before), table(after))
    }
}
