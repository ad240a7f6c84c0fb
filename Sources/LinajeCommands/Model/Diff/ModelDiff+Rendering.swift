import LinajeDomain

extension ModelDiff {
    /// Most entries of a part that are shown to people; `--json` has all.
    static let shown = 20

    /// The lines for people: only what differs.
    ///
    /// - Parameter most: entries of one part.
    func lines(
        _ style: TextStyle, before: String, after: String, most: Int = Self.shown
    ) -> [String] {
        var out = ["\(style.bold("---")) \(before)", "\(style.bold("+++")) \(after)"]
        if isSame { out.append("nothing differs") }
        for section in sections {
            out.append(style.bold(section.part.title(isBreaking: section.isBreaking)))
            // What breaks somebody comes first.
            let ordered =
                section.entries.filter(\.isBreaking) + section.entries.filter { !$0.isBreaking }
            out += ordered.prefix(most).map { "  " + $0.line(style) }
            if ordered.count > most {
                let more = Rendering.grouped(ordered.count - most)
                out.append(style.dim("  and \(more) more (--all shows them)"))
            }
            out += section.notes.map { style.dim("  " + printable($0)) }
        }
        return out + notes.map { style.dim(printable($0)) }
    }

    func json(before: String, after: String) -> JSONValue {
        .object([
            ("before", .string(before)), ("after", .string(after)), ("same", .bool(isSame)),
            ("breaking", .bool(isBreaking)),
            (
                "differences",
                .object(
                    sections.filter { !$0.entries.isEmpty }.map { section in
                        (section.part.rawValue, .array(section.entries.map(\.json)))
                    })
            ), ("notes", .strings(sections.flatMap(\.notes) + notes)),
        ])
    }
}

extension ModelDiff.Section {
    fileprivate var isBreaking: Bool { entries.contains { $0.isBreaking } }
}

extension ModelDiff.Part {
    fileprivate func title(isBreaking: Bool) -> String {
        switch self {
        case .signature: isBreaking ? "signature (breaking)" : "signature (compatible)"
        case .license: "licence"
        case .card: "model card"
        default: rawValue
        }
    }
}

extension ModelDiff.Entry {
    fileprivate func line(_ style: TextStyle) -> String {
        let mark =
            switch kind {
            case .added: "+"
            case .removed: "-"
            case .changed: "~"
            }
        let values = [before, after].compactMap(\.self).map { Self.short($0) }
            .joined(separator: " → ")
        var words = note.isEmpty ? "" : "  (\(note))"
        if isBreaking { words += "  breaking" }
        let line = printable("\(mark) \(name)  \(values)\(words)")
        return isBreaking ? style.bad(line) : line
    }

    /// Most characters of a value that are shown to people.
    private static let valueLength = 120

    private static func short(_ value: String) -> String {
        value.count > valueLength ? value.prefix(valueLength) + "…" : value
    }

    fileprivate var json: JSONValue {
        .object([
            ("change", .string(kind.rawValue)), ("name", .string(name)),
            ("before", .optional(before)), ("after", .optional(after)), ("note", .string(note)),
            ("breaking", .bool(isBreaking)),
        ])
    }
}
