import LinajeClient
import LinajeDomain

extension DaemonStatus {
    /// The state as one object with stable keys.
    func json(_ daemon: DaemonGreeting) -> JSONValue {
        .object(
            [
                ("socket", .string(daemon.socket)), ("principal", .string(daemon.principal)),
                ("role", .string(daemon.role)), ("version", .string(version)),
                ("state_directory", .string(stateDirectory)), ("pid", .int(Int64(pid))),
            ] + JSONValue.time("started_at", startedAt) + [
                ("connections", .count(connections)), ("points", .uint(points)),
                ("commits", .uint(commits)), ("queued_bytes", .uint(queued.bytes)),
                ("queue_limit_bytes", .uint(queueLimit.bytes)),
                ("commit_latency", commitLatency.json),
                ("resident_bytes", .uint(resident.bytes)),
                ("cpu_us", .double(processor / .microseconds(1))),
                ("free_bytes", .uint(free.bytes)), ("total_bytes", .uint(total.bytes)),
                ("chunks", .uint(chunks)), ("stored_bytes", .uint(stored.bytes)),
                ("content_bytes", .uint(content.bytes)), ("calls", .uint(calls)),
                ("failed_calls", .uint(failedCalls)), ("received_bytes", .uint(received.bytes)),
                ("sent_bytes", .uint(sent.bytes)),
                ("refused_connections", .uint(refusedConnections)),
                ("cut_connections", .uint(cutConnections)), ("watched_runs", .uint(watchedRuns)),
                ("stalled_runs", .uint(stalledRuns)), ("open_files", .uint(openFiles)),
                ("open_files_limit", .uint(openFilesLimit)),
                ("plugins", .array(plugins.map(\.json))),
                ("kernel_features", .array(kernelFeatures.map(\.json))),
                ("migrations", .array(migrations.map(\.json))),
                ("upkeep", .array(upkeep.map(\.json))),
                ("failure", .optional(failure)),
            ])
    }
}

extension UpkeepRecord {
    fileprivate var json: JSONValue {
        .object([
            ("task", .string(task)), ("begun_at_us", .int(begunAt.microseconds)),
            ("ended_at_us", endedAt.map { .int($0.microseconds) } ?? .null),
            ("bytes", .uint(bytes)), ("total_bytes", .uint(totalBytes)),
            ("findings", .uint(findings)), ("message", .string(message)),
        ])
    }
}

extension PluginStatus {
    /// For people; a plugin that has not been started yet has not said its version.
    var title: String { version.isEmpty ? name : "\(name) \(version)" }

    var json: JSONValue {
        .object([
            ("name", .string(name)), ("kind", .string(kind)), ("version", .string(version)),
            ("failure", .optional(failure)),
        ])
    }
}

extension MigrationStatus {
    fileprivate var json: JSONValue {
        .object([
            ("namespace", .string(namespace)), ("name", .string(name)), ("done", .uint(done)),
            ("total", .uint(total)), ("percent", .count(percent)),
        ])
    }
}

extension KernelFeature {
    fileprivate var json: JSONValue {
        .object([
            ("name", .string(name)), ("available", .bool(isAvailable)),
            ("meaning", .string(meaning)),
        ])
    }
}

extension LatencyHistogram {
    /// Counts in buckets as they were sent, and percentiles made of them.
    fileprivate var json: JSONValue {
        func percentile(_ share: Double) -> JSONValue {
            self.percentile(share).map { .double($0 / .microseconds(1)) } ?? .null
        }
        return .object([
            ("count", .uint(count)), ("sum_us", .double(sum / .microseconds(1))),
            ("p50_us", percentile(0.5)), ("p99_us", percentile(0.99)),
            ("p999_us", percentile(0.999)),
            ("upper_bounds_us", .array(bounds.map { .double($0 / .microseconds(1)) })),
            ("counts", .array(counts.map { .uint($0) })),
        ])
    }
}
