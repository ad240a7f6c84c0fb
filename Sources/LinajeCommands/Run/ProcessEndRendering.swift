import LinajeDomain

extension ProcessEnd {
    func add(to fields: inout TextFields) {
        fields.add("took", durationMicroseconds.map { Rendering.duration(Self.duration($0)) })
        if let user = userMicroseconds, let system = systemMicroseconds {
            fields.add(
                "processor",
                "\(Rendering.duration(Self.duration(user))) user, "
                    + "\(Rendering.duration(Self.duration(system))) system")
        }
        fields.add("peak memory", peakMemory.map { "\(ByteCount($0))" })
        for line in lastErrors { fields.add("last error", line) }
    }

    var json: JSONValue {
        .object([
            ("reason", .string(reason.rawValue)), ("source", .string(source.rawValue)),
            ("exit_code", exitCode.map { .int(Int64($0)) } ?? .null),
            ("signal", signal.map { .int(Int64($0)) } ?? .null),
            ("signal_name", .optional(signal.map { SignalName.text($0) })),
            ("core_dumped", .bool(coreDumped)),
            ("memory_limit_bytes", memoryLimit.map { .uint($0) } ?? .null),
            ("peak_memory_bytes", peakMemory.map { .uint($0) } ?? .null),
            ("duration_us", durationMicroseconds.map { .uint($0) } ?? .null),
            ("user_time_us", userMicroseconds.map { .uint($0) } ?? .null),
            ("system_time_us", systemMicroseconds.map { .uint($0) } ?? .null),
            ("last_errors", .strings(lastErrors)),
        ])
    }

    private static func duration(_ microseconds: UInt64) -> Duration {
        .microseconds(Int64(clamping: microseconds))
    }
}

extension SchedulerJob {
    /// For people: "slurm 4711_3 step 0 (train) on node7".
    var line: String {
        var text = "\(scheduler) \(arrayID.isEmpty ? jobID : arrayID)"
        if !arrayTask.isEmpty { text += "_\(arrayTask)" }
        if !step.isEmpty { text += " step \(step)" }
        if !jobName.isEmpty { text += " (\(jobName))" }
        if !node.isEmpty { text += " on \(node)" }
        return cluster.isEmpty ? text : "\(text), cluster \(cluster)"
    }

    var json: JSONValue {
        .object([
            ("scheduler", .string(scheduler)), ("job_id", .string(jobID)),
            ("job_name", .string(jobName)), ("array_id", .string(arrayID)),
            ("array_task", .string(arrayTask)), ("step", .string(step)), ("rank", .string(rank)),
            ("node", .string(node)), ("nodes", .string(nodes)), ("cluster", .string(cluster)),
            ("queue", .string(queue)),
        ])
    }
}

extension ContainerIdentity {
    var json: JSONValue {
        .object([
            ("runtime", .string(runtime)), ("name", .string(name)), ("image", .string(image)),
        ])
    }
}

extension Provenance {
    /// For people: runtime, name, image and id of the container.
    var containerLine: String {
        let identity = containerIdentity.map { [$0.runtime, $0.name, $0.image] } ?? []
        return (identity + [container]).filter { !$0.isEmpty }.joined(separator: " ")
    }
}
