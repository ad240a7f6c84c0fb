import LinajeClient
import LinajeDomain

extension ModelDiff {
    /// Compares two models by all that is known of them.
    ///
    /// - Parameter tensorNotes: what could not be found out about what the tensors hold.
    init(_ before: ModelSide, _ after: ModelSide, tensorNotes: [String] = []) {
        let (old, new) = (before.model, after.model)
        let sections = [
            Self.signature(old.signature, new.signature), Self.verdict(old, new),
            Self.tensors(before, after, tensorNotes),
            Section(part: .files, entries: Self.files(before.files, after.files)),
            Section(part: .metrics, entries: Self.metrics(before.metrics, after.metrics)),
            Section(part: .params, entries: Self.params(before.params, after.params)),
            Section(
                part: .data,
                entries: Self.data(before.run?.datasets ?? [], after.run?.datasets ?? [])),
            Section(part: .code, entries: Self.code(before.run, after.run)),
            Section(
                part: .dependencies,
                entries: Self.entries(
                    Requirements.byName(old.requirements), Requirements.byName(new.requirements))),
            Section(part: .environment, entries: Self.environment(before.run, after.run)),
            Section(part: .flavors, entries: Self.flavors(old, new)),
            Section(part: .license, entries: Self.field("licence", old.license, new.license)),
            Section(part: .card, entries: Self.entries(old.card, new.card)),
            Section(
                part: .tags,
                entries: Self.field("description", before.description, after.description)
                    + Self.entries(Self.table(before.tags), Self.table(after.tags))),
        ]
        self.init(sections, notes: Self.notes(before, after))
    }

    private static func notes(_ before: ModelSide, _ after: ModelSide) -> [String] {
        let unknown = [before, after].filter { $0.run == nil }.map(\.uri)
        guard unknown.count == 1 else { return [] }
        return ["no run of \(unknown[0]) is known: its metrics, data, code and environment are not"]
    }

    /// One text that may be empty.
    private static func field(_ name: String, _ before: String, _ after: String) -> [Entry] {
        entries(before.isEmpty ? [:] : [name: before], after.isEmpty ? [:] : [name: after])
    }

    private static func table(_ tags: [Tag]) -> [String: String] {
        Dictionary(tags.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    }

    // MARK: What it is

    private static func signature(_ before: String, _ after: String) -> Section {
        var section = Section(part: .signature, entries: [])
        guard before != after else { return section }
        do {
            section.entries = SignatureDiff.entries(
                try before.isEmpty ? SignatureSchema() : SignatureSchema(parsing: before),
                try after.isEmpty ? SignatureSchema() : SignatureSchema(parsing: after))
        } catch {
            let reason = (error as? LinajeError)?.message ?? "\(error)"
            section.entries = [.changed("signature", before, after, note: reason).breaking(true)]
        }
        return section
    }

    private static func verdict(_ before: ModelDescription, _ after: ModelDescription) -> Section {
        func findings(_ model: ModelDescription) -> [String: String] {
            Dictionary(
                model.findings.map { finding in
                    let place = finding.path.isEmpty ? "" : "\(finding.path): "
                    return (place + finding.message, finding.severity.rawValue)
                }, uniquingKeysWith: { $1 })
        }
        let verdict = entries(
            ["verdict": JudgedAs(before.verdict).rawValue],
            ["verdict": JudgedAs(after.verdict).rawValue])
        return Section(
            part: .verdict, entries: verdict + entries(findings(before), findings(after)))
    }

    /// Facts by which MLmodel tells one model from every other: they say nothing of what it is.
    private static let namesOfOne: Set<String> = [
        "artifact_path", "model_id", "model_uuid", "run_id", "utc_time_created",
    ]

    private static func flavors(
        _ before: ModelDescription, _ after: ModelDescription
    ) -> [Entry] {
        func facts(_ model: ModelDescription) -> [String: String] {
            var out: [String: String] = [:]
            for flavor in model.flavors {
                out[flavor.name] = flavor.version.isEmpty ? "any version" : flavor.version
                for (name, value) in flavor.facts where !Self.namesOfOne.contains(name) {
                    out["\(flavor.name).\(name)"] = value
                }
            }
            if model.parameters > 0 { out["parameters"] = Rendering.grouped(model.parameters) }
            if model.memoryBytes > 0 { out["memory"] = "\(ByteCount(model.memoryBytes))" }
            return out
        }
        return entries(facts(before), facts(after))
    }

    // MARK: What it is made of

    private static func tensors(
        _ before: ModelSide, _ after: ModelSide, _ notes: [String]
    ) -> Section {
        let old = named(before.model.tensors)
        let new = named(after.model.tensors)
        var out: [Entry] = []
        for name in Set(old.keys).union(new.keys).sorted() {
            switch (old[name], new[name]) {
            case (let one?, let other?) where text(one) != text(other):
                out.append(.changed(name, text(one), text(other)))
            case (let one?, _?):
                guard let was = before.contents[name], let now = after.contents[name], was != now
                else { continue }
                out.append(
                    .changed(
                        name, "\(text(one)) \(Rendering.short(was))",
                        "\(text(one)) \(Rendering.short(now))", note: "other values"))
            case (let one?, nil): out.append(.removed(name, text(one)))
            case (nil, let other?): out.append(.added(name, text(other)))
            case (nil, nil): break
            }
        }
        return Section(part: .tensors, entries: out, notes: notes)
    }

    private static func named(_ tensors: [TensorDescription]) -> [String: TensorDescription] {
        Dictionary(tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private static func text(_ tensor: TensorDescription) -> String {
        "\(tensor.dtype) (\(tensor.shape.map { "\($0)" }.joined(separator: ", ")))"
    }

    private static func files(_ before: [TreeEntry], _ after: [TreeEntry]) -> [Entry] {
        func table(_ files: [TreeEntry]) -> [String: String] {
            Dictionary(
                files.map { file in
                    let text = "\(ByteCount(file.size)) \(Rendering.short(file.sha256))"
                    switch file.mode {
                    case .file: return (file.path.text, text)
                    case .executable: return (file.path.text, text + ", executable")
                    case .link: return (file.path.text, text + ", link")
                    }
                }, uniquingKeysWith: { $1 })
        }
        var out = entries(table(before), table(after))
        let places = Dictionary(
            before.map { ($0.sha256, $0.path.text) }, uniquingKeysWith: { first, _ in first })
        let digests = Dictionary(
            after.map { ($0.path.text, $0.sha256) }, uniquingKeysWith: { first, _ in first })
        for index in out.indices where out[index].kind == .added {
            guard let path = digests[out[index].name].flatMap({ places[$0] }) else { continue }
            out[index].note = "same content as \(path) before"
        }
        return out
    }
}
