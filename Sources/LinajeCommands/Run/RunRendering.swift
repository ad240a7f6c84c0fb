import LinajeDomain

extension Run {
    var json: JSONValue {
        let leaseKind =
            switch lease {
            case .detached: "detached"
            case .process: "process"
            case .heartbeat: "heartbeat"
            }
        return .members { members in
            members.add("id", .string("\(id)"))
            members.add("experiment_id", .int(experimentID))
            members.add("name", .string(name))
            members.add("status", .string(status.rawValue))
            members.add("lifecycle", .string(lifecycle.rawValue))
            members.add("user", .string(user))
            members.add("principal", .string(principal))
            members.add("parent_id", .optional(parentID.map { "\($0)" }))
            members.add(time: "started_at", startedAt)
            members.add(time: "ended_at", endedAt)
            members.add("ended_cause", .string(endedCause))
            members.add("process_end", processEnd?.json ?? .null)
            members.add("lease", .string(leaseKind))
            members.add("owner_pid", ownerPID.map { .int(Int64($0)) } ?? .null)
            members.add(time: "owner_heard_at", ownerHeardAt)
            members.add(
                "params",
                .members { for param in params { $0.add(param.key, .param(param.value)) } })
            members.add(
                "metrics",
                .members { for metric in metrics { $0.add(metric.key, .double(metric.value)) } })
            members.add("tags", .tags(tags))
            members.add("datasets", .array(datasets.map(\.json)))
            members.add("model_inputs", .array(modelInputs.map(\.json)))
            members.add("model_outputs", .array(modelOutputs.map(\.json)))
            members.add("provenance", provenance?.json ?? .null)
        }
    }

    func show(_ options: GlobalOptions) {
        if options.json { return Output.line(json.text) }
        var fields = TextFields()
        fields.add("run", "\(id)")
        fields.add("name", name)
        fields.add("experiment", "\(experimentID)")
        let state = lifecycle == .deleted ? ", deleted" : ""
        fields.add("status", status.rawValue + state)
        fields.add("user", [user, principal].filter { !$0.isEmpty }.joined(separator: ", "))
        fields.add("parent", parentID.map { "\($0)" })
        fields.add("started", Rendering.time(startedAt))
        fields.add("ended", endedAt.map { Rendering.time($0) })
        fields.add("cause", endedCause)
        processEnd?.add(to: &fields)
        if case .heartbeat = lease {
            fields.add("last heard", ownerHeardAt.map { Rendering.time($0) })
        }
        for param in params { fields.add("param", "\(param.key) = \(param.value)") }
        for tag in tags { fields.add("tag", "\(tag.key) = \(tag.value)") }
        for input in datasets { fields.add("data set", input.line) }
        for link in modelInputs { fields.add("model in", link.line) }
        for link in modelOutputs { fields.add("model out", link.line) }
        provenance?.add(to: &fields)
        fields.show(options.style)
    }
}

extension DatasetInput {
    fileprivate var line: String {
        let digest = digests.first.map { "\($0)" } ?? clientDigest
        return [name, context, digest, source].filter { !$0.isEmpty }.joined(separator: "  ")
    }

    var json: JSONValue {
        .object([
            ("name", .string(name)), ("digests", .strings(digests.map { "\($0)" })),
            ("client_digest", .string(clientDigest)), ("context", .string(context)),
            ("source_type", .string(sourceType)), ("source", .string(source)),
            ("schema", .string(schema)), ("profile", .string(profile)),
            ("dvc_pointer", .string(dvcPointer)), ("size", .uint(size)), ("tags", .tags(tags)),
        ])
    }
}

extension ModelLink {
    fileprivate var name: String { loggedModelID.map { "models:/\($0)" } ?? uri }

    fileprivate var line: String {
        [name, role, step == 0 ? "" : "step \(step)"].filter { !$0.isEmpty }
            .joined(separator: "  ")
    }

    fileprivate var json: JSONValue {
        .object([
            ("model", .string(name)), ("role", .string(role)), ("step", .int(step)),
        ])
    }
}

extension Provenance {
    fileprivate func add(to fields: inout TextFields) {
        if let git {
            let dirty = git.isDirty ? ", with changes" : ""
            let branch = git.branch.isEmpty ? "" : " on \(git.branch)"
            fields.add("code", "\(git.commit)\(branch)\(dirty) \(git.remote)")
            fields.add("patch", git.diffArtifact)
        }
        fields.add("entry point", entryPoint)
        fields.add("arguments", argv.joined(separator: " "))
        fields.add("notebook", notebook)
        fields.add("purpose", purpose)
        fields.add("language", language)
        fields.add("packages", packages.isEmpty ? nil : "\(packages.count)")
        fields.add(
            "machine", [host, os, kernel, cpu].filter { !$0.isEmpty }.joined(separator: "; "))
        fields.add("memory", memoryBytes == 0 ? nil : "\(ByteCount(memoryBytes))")
        fields.add("accelerators", gpus.joined(separator: "; "))
        fields.add("job", job?.line)
        fields.add("container", containerLine)
    }

    fileprivate var json: JSONValue {
        .object([
            ("git", git?.json ?? .null), ("entry_point", .string(entryPoint)),
            ("argv", .strings(argv)), ("notebook", .string(notebook)),
            ("notebook_cells", .strings(notebookCells)), ("language", .string(language)),
            ("packages", .facts(packages)), ("os", .string(os)), ("kernel", .string(kernel)),
            ("cpu", .string(cpu)), ("memory_bytes", .uint(memoryBytes)), ("gpus", .strings(gpus)),
            ("host", .string(host)), ("user", .string(user)),
            ("environment", .facts(environment)), ("container", .string(container)),
            ("container_identity", containerIdentity?.json ?? .null), ("job", job?.json ?? .null),
            ("purpose", .string(purpose)),
        ])
    }
}

extension Run {
    fileprivate var ownerPID: Int32? {
        guard case .process(let pid, _, _, _) = lease, pid > 0 else { return nil }
        return pid
    }
}

extension GitState {
    fileprivate var json: JSONValue {
        .object([
            ("commit", .string(commit)), ("branch", .string(branch)), ("remote", .string(remote)),
            ("dirty", .bool(isDirty)), ("diff_artifact", .string(diffArtifact)),
        ])
    }
}
