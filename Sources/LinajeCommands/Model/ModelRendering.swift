import LinajeClient
import LinajeDomain

extension ModelVersion {
    /// How it is named.
    var uri: String { ModelURI.version(name: name, version: version).description }

    var json: JSONValue {
        .object(
            [
                ("name", .string(name)), ("version", .uint(version)), ("uri", .string(uri)),
                ("tree", .string("\(tree)")), ("size", .uint(size)), ("source", .string(source)),
                ("run_id", .optional(runID.map { "\($0)" })),
                ("logged_model_id", .optional(loggedModelID.map { "\($0)" })),
                ("stage", .string(stage.rawValue)), ("description", .string(description)),
            ] + JSONValue.time("created_at", createdAt) + JSONValue.time("updated_at", updatedAt)
                + [
                    ("tags", .tags(tags)), ("aliases", .strings(aliases)),
                    ("principal", .string(principal)), ("blocked", blocked.json),
                    ("acceptance", acceptance?.json ?? .null), ("model", model.json),
                ])
    }

    func show(_ options: GlobalOptions) {
        if options.json { return Output.line(json.text) }
        var fields = TextFields()
        fields.add("version", uri)
        fields.add("stage", stage.rawValue)
        fields.add("aliases", aliases.joined(separator: ", "))
        fields.add("description", description)
        fields.add("tree", "sha256:\(tree)")
        fields.add("size", "\(ByteCount(size))")
        fields.add("source", source)
        fields.add("run", runID.map { "\($0)" })
        fields.add("logged model", loggedModelID.map { "\($0)" })
        fields.add("registered", "\(Rendering.time(createdAt)) by \(principal)")
        fields.add("updated", Rendering.time(updatedAt))
        fields.add("tags", Rendering.tags(tags))
        fields.add("blocked", blocked == .nothing ? nil : "\(blocked), by its verdict")
        fields.add("accepted", acceptance?.text)
        model.add(to: &fields)
        fields.show(options.style)
    }

    /// The rows of a table of versions.
    static let columns: [(title: String, side: TextTable.Side)] = [
        ("model", .left), ("version", .right), ("stage", .left), ("aliases", .left),
        ("tree", .left), ("size", .right), ("registered", .left), ("source", .left),
    ]

    var row: [String] {
        [
            name, "\(version)", stage.rawValue, aliases.joined(separator: ","),
            Rendering.short(tree), "\(ByteCount(size))", Rendering.shortTime(createdAt), source,
        ]
    }
}

extension LoggedModel {
    var json: JSONValue {
        .object(
            [
                ("id", .string("\(id)")), ("uri", .string("models:/\(id)")),
                ("experiment_id", .int(experimentID)),
                ("run_id", .optional(runID.map { "\($0)" })), ("name", .string(name)),
                ("status", .string(status.rawValue)), ("status_message", .string(statusMessage)),
                ("model_type", .string(modelType)), ("tree", .optional(tree.map { "\($0)" })),
                ("size", .uint(size)), ("step", .int(step)),
            ] + JSONValue.time("created_at", createdAt) + JSONValue.time("updated_at", updatedAt)
                + [
                    ("tags", .tags(tags)),
                    ("params", .object(params.map { ($0.key, .param($0.value)) })),
                    (
                        "registrations",
                        .strings(registrations.map { "models:/\($0.name)/\($0.version)" })
                    ), ("model", model.json),
                ])
    }

    func show(_ options: GlobalOptions) {
        if options.json { return Output.line(json.text) }
        var fields = TextFields()
        fields.add("logged model", "models:/\(id)")
        fields.add("name", name)
        fields.add(
            "status",
            [status.rawValue, statusMessage].filter { !$0.isEmpty }
                .joined(separator: ": "))
        fields.add("type", modelType)
        fields.add("run", runID.map { "\($0)" })
        fields.add("step", step == 0 ? nil : "\(step)")
        fields.add("tree", tree.map { "sha256:\($0)" })
        fields.add("size", "\(ByteCount(size))")
        fields.add("created", Rendering.time(createdAt))
        for param in params { fields.add("param", "\(param.key) = \(param.value)") }
        fields.add("tags", Rendering.tags(tags))
        for version in registrations {
            fields.add("registered as", "models:/\(version.name)/\(version.version)")
        }
        model.add(to: &fields)
        fields.show(options.style)
    }
}

extension RegisteredModel {
    var json: JSONValue {
        .object(
            [("name", .string(name)), ("description", .string(description))]
                + JSONValue.time("created_at", createdAt)
                + JSONValue.time("updated_at", updatedAt) + [
                    ("tags", .tags(tags)),
                    (
                        "aliases",
                        .object(
                            aliases.sorted { $0.key < $1.key }.map { ($0.key, .uint($0.value)) })
                    ), ("policy", policyJSON),
                    ("latest_versions", .array(latestVersions.map(\.json))),
                ])
    }

    func show(_ options: GlobalOptions) {
        if options.json { return Output.line(json.text) }
        var fields = TextFields()
        fields.add("model", name)
        fields.add("description", description)
        fields.add("created", Rendering.time(createdAt))
        fields.add("updated", Rendering.time(updatedAt))
        fields.add("tags", Rendering.tags(tags))
        fields.add("aliases", aliasLine)
        fields.add("policy", ownPolicyText)
        for version in latestVersions {
            fields.add("latest \(version.stage.rawValue)", "version \(version.version)")
        }
        fields.show(options.style)
    }

    var aliasLine: String {
        aliases.sorted { $0.key < $1.key }.map { "\($0.key)→\($0.value)" }
            .joined(separator: ", ")
    }
}
