import LinajeClient
import LinajeDomain

extension TopReading {
    /// The reading as one object with stable keys.
    func json(timeUntilFull: Duration?) -> JSONValue {
        func percentile(_ share: Double) -> JSONValue {
            latency.percentile(share).map { .double($0 / .microseconds(1)) } ?? .null
        }
        return .object(
            JSONValue.time("time", at) + [
                ("reachable", .bool(true)), ("restarted", .bool(isRestart)),
                ("pid", .int(Int64(status.pid))), ("interval_s", .double(elapsed / .seconds(1))),
                ("connections", .count(status.connections)),
                ("refused_connections", .uint(status.refusedConnections)),
                ("cut_connections", .uint(status.cutConnections)),
                ("points_per_s", .double(pointsPerSecond)),
                ("commits_per_s", .double(commitsPerSecond)),
                ("commit_p50_us", percentile(0.5)), ("commit_p99_us", percentile(0.99)),
                ("commit_p999_us", percentile(0.999)),
                ("queued_bytes", .uint(status.queued.bytes)),
                ("queue_limit_bytes", .uint(status.queueLimit.bytes)),
                ("calls_per_s", .double(callsPerSecond)),
                ("failed_calls_per_s", .double(failedCallsPerSecond)),
                ("received_bytes_per_s", .double(receivedPerSecond)),
                ("sent_bytes_per_s", .double(sentPerSecond)),
                ("cpu", .double(processors)), ("resident_bytes", .uint(status.resident.bytes)),
                ("open_files", .uint(status.openFiles)),
                ("open_files_limit", .uint(status.openFilesLimit)),
                ("free_bytes", .uint(status.free.bytes)),
                ("total_bytes", .uint(status.total.bytes)),
                ("full_in_s", timeUntilFull.map { .double($0 / .seconds(1)) } ?? .null),
                ("chunks", .uint(status.chunks)), ("stored_bytes", .uint(status.stored.bytes)),
                ("stored_bytes_per_s", .double(storedPerSecond)),
                ("watched_runs", .uint(status.watchedRuns)),
                ("stalled_runs", .uint(status.stalledRuns)),
                ("plugins", .array(status.plugins.map(\.json))),
                ("failure", .optional(status.failure)),
            ])
    }

    /// The object for a moment at which the daemon did not answer.
    static func unreachable(_ reason: String, at: Timestamp) -> JSONValue {
        .object(
            JSONValue.time("time", at) + [
                ("reachable", .bool(false)), ("reason", .string(reason)),
            ])
    }
}
