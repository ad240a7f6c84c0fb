package import LinajeDomain
import LinajePluginKit

/// What a change says of a run's end; what it does not say is `nil`.
struct RunEnd {
    var at: Timestamp?
    var cause: String?
    var process: ProcessEnd?

    var isEmpty: Bool { at == nil && cause == nil && process == nil }
}

extension CatalogTransaction {
    /// Sets the status of a run; a terminal one ends it and its lease.
    func set(_ status: RunStatus, of id: RunID, _ end: RunEnd) throws {
        guard status != .stalled else {
            throw LinajeError(
                .invalidArgument, "status STALLED cannot be set: it is what silence is called")
        }
        guard status.isTerminal else {
            guard end.at == nil, end.process == nil, end.cause == nil || end.cause == "" else {
                throw LinajeError(
                    .invalidArgument,
                    "run \(id) cannot be \(status.rawValue) and have an end; leave out one")
            }
            try connection.execute(
                """
                UPDATE runs SET status = ?, ended_at_us = NULL, ended_cause = '',
                    process_end = NULL, wished_status = NULL
                WHERE id = ?
                """, [.text(status.rawValue), .id(id)])
            return
        }
        let known = try wished(status, end, of: id)
        let process = try end.process.map { try StoredJSON.encode($0, noun: "end of the process") }
        try connection.execute(
            """
            UPDATE runs SET status = ?, ended_at_us = ?, ended_cause = ?,
                process_end = COALESCE(?, process_end),
                wished_status = NULL, lease_kind = ?, lease_pid = ?, lease_start = ?,
                lease_timeout_us = ?, lease_boot = ?, lease_supervises = ?,
                lease_heartbeat_us = NULL
            WHERE id = ?
            """,
            [
                .text(known.status.rawValue), .time(end.at ?? now), .text(known.cause),
                .optional(process),
            ] + (try Lease.detached.columns()) + [.id(id)])
    }

    /// Ends a run whose owner is gone; a deleted one too, which may be restored.
    package func endOrphan(_ id: RunID, cause: String, _ process: ProcessEnd) throws {
        try set(.failed, of: id, RunEnd(cause: cause, process: process))
    }

    /// Notes what somebody below the owner of a run says of how it went. A run that has ended is
    /// left as it is: whoever ended it knew better.
    func note(wish status: RunStatus?, of id: RunID, _ old: RunState, _ end: RunEnd) throws {
        guard let status, status.isTerminal, end.process == nil else {
            throw LinajeError(
                .invalidArgument,
                "a wish for run \(id) needs a status that ends it: FINISHED, FAILED or KILLED")
        }
        guard !old.status.isTerminal else { return }
        try connection.execute(
            "UPDATE runs SET wished_status = ? WHERE id = ?", [.text(status.rawValue), .id(id)])
    }

    /// Corrects the end of a run that has ended.
    func correct(_ end: RunEnd, of id: RunID, _ old: RunState) throws {
        guard old.status.isTerminal else {
            throw LinajeError(
                .invalidArgument,
                "run \(id) has not ended; give its end together with the status it ended with")
        }
        if let time = end.at {
            try connection.execute(
                "UPDATE runs SET ended_at_us = ? WHERE id = ?", [.time(time), .id(id)])
        }
        if let cause = end.cause {
            try connection.execute(
                "UPDATE runs SET ended_cause = ? WHERE id = ?", [.text(cause), .id(id)])
        }
        if let process = end.process {
            try connection.execute(
                "UPDATE runs SET process_end = ? WHERE id = ?",
                [.text(try StoredJSON.encode(process, noun: "end of the process")), .id(id)])
        }
    }

    /// The status and cause that a run ends with: an owner that ends it FINISHED leaves the word to
    /// whoever said below it that it went wrong.
    private func wished(
        _ status: RunStatus, _ end: RunEnd, of id: RunID
    ) throws -> (status: RunStatus, cause: String) {
        let cause = end.cause ?? status.defaultCause
        guard status == .finished else { return (status, cause) }
        let text = try connection.first(
            "SELECT wished_status FROM runs WHERE id = ? AND wished_status IS NOT NULL", [.id(id)]
        ) { try $0.text(0) }
        guard let wish = text.flatMap(RunStatus.init(rawValue:)), wish != .finished else {
            return (status, cause)
        }
        let said = wish == .killed ? "interrupted, said the command" : "failed, said the command"
        return (wish, end.process.map { "\(said); \($0.cause)" } ?? said)
    }
}

extension RunStatus {
    /// Why a run ended, when whoever ended it did not say.
    fileprivate var defaultCause: String {
        switch self {
        case .finished: "finished by its owner"
        case .failed: "failed, said its owner"
        case .killed: "stopped on purpose"
        case .running, .scheduled, .stalled: ""
        }
    }
}
