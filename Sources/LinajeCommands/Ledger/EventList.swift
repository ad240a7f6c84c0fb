import LinajeDomain

/// Events of the ledger, shown.
struct EventList {
    private let events: [LedgerEvent]

    init(_ events: [LedgerEvent]) { self.events = events }

    func show(_ options: GlobalOptions) {
        if options.json {
            return Output.line(JSONValue.array(events.map { json($0) }).text)
        }
        var table = TextTable([
            ("#", .right), ("time", .left), ("who", .left), ("what", .left), ("model", .left),
            ("details", .left),
        ])
        for event in events {
            let facts = self.facts(event)
            let version = facts["version"].map { "/\(Self.text($0))" } ?? ""
            let at = facts["at"].flatMap(\.int).map { Timestamp(microseconds: $0) }
            let shown: Set = ["at", "op", "principal", "door", "model", "version"]
            let details = facts.filter { !shown.contains($0.key) }
                .sorted { $0.key < $1.key }
                .map { "\($0.key)=\(Self.text($0.value))" }
            table.add([
                "\(event.sequence)", Rendering.shortTime(at),
                facts["principal"].map { Self.text($0) } ?? "",
                facts["op"].map { Self.text($0) } ?? "?",
                (facts["model"].map { Self.text($0) } ?? "") + version,
                details.joined(separator: " "),
            ])
        }
        table.show(options.style, empty: "no events")
    }

    private func json(_ event: LedgerEvent) -> JSONValue {
        let facts = (try? FlatJSON.parse(event.canonical)) ?? []
        return .object([
            ("sequence", .uint(event.sequence)),
            ("event", .object(facts.map { ($0.name, Self.json($0.value)) })),
            ("previous_hash", .string("\(event.previousHash)")),
            ("hash", .string("\(event.hash)")),
        ])
    }

    private func facts(_ event: LedgerEvent) -> [String: FlatJSON.Value] {
        let facts = (try? FlatJSON.parse(event.canonical)) ?? []
        return Dictionary(facts.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
    }

    private static func text(_ value: FlatJSON.Value) -> String {
        switch value {
        case .string(let text): text
        case .number(let text): text
        case .bool(let flag): "\(flag)"
        case .null: ""
        }
    }

    private static func json(_ value: FlatJSON.Value) -> JSONValue {
        switch value {
        case .string(let text): .string(text)
        case .number: value.int.map { .int($0) } ?? .double(value.double ?? .nan)
        case .bool(let flag): .bool(flag)
        case .null: .null
        }
    }
}
