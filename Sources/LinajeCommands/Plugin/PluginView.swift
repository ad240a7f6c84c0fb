import LinajeDomain

extension PluginReport {
    /// In a word: whether it is used, and if not why.
    var state: String {
        if !isEnabled { return "disabled" }
        return problem.isEmpty ? "enabled" : "unusable"
    }

    /// What has become of it.
    var outcome: String { "plugin \(printable(name)) is \(state)" }

    var json: JSONValue {
        .object(
            [
                ("name", .string(name)), ("kind", .string(kind)), ("version", .string(version)),
                ("state", .string(state)), ("description", .string(summary)),
                ("license", .string(license)), ("url", .string(url)), ("folder", .string(folder)),
                ("sha256", .optional(digest?.description)), ("pinned", .bool(isPinned)),
                ("read", .strings(readable)), ("enabled", .bool(isEnabled)),
                ("disabled_by", .string(disabledBy)),
            ] + JSONValue.time("disabled_at", disabledAt) + [
                ("problem", .string(problem)), ("flavors", .strings(flavors)),
                ("calls", .uint(calls)), ("failures", .uint(failures)),
                ("last_failure", .string(lastFailure)), ("processes", .count(processes)),
            ])
    }

    /// For people.
    var lines: [String] {
        var facts: [(String, String)] = [
            ("plugin", name), ("kind", kind), ("version", version), ("state", state),
        ]
        if !problem.isEmpty { facts.append(("problem", problem)) }
        if !isEnabled {
            facts.append(("disabled", "by \(disabledBy), \(disabledAt?.text ?? "")"))
        }
        facts += [
            ("description", summary), ("license", license), ("url", url), ("folder", folder),
        ]
        if let digest {
            facts.append(("sha256", "\(digest)\(isPinned ? ", as its manifest wants" : "")"))
        }
        if !readable.isEmpty { facts.append(("may read", readable.joined(separator: ", "))) }
        if !flavors.isEmpty { facts.append(("flavors", flavors.joined(separator: ", "))) }
        if calls > 0 {
            facts.append(("models", "\(Rendering.grouped(calls)), \(failures) failed"))
        }
        if !lastFailure.isEmpty { facts.append(("last failure", lastFailure)) }
        if processes > 0 { facts.append(("processes", "\(processes)")) }
        let width = (facts.map(\.0.count).max() ?? 0) + 2
        return facts.filter { !$0.1.isEmpty }.map { name, value in
            name + String(repeating: " ", count: width - name.count) + printable(value)
        }
    }
}
