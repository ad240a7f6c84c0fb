package import LinajeDomain

extension Linaje_V1_MaintenanceTask {
    package init(_ task: MaintenanceTask) {
        switch task {
        case .compact: self = .compact
        case .vacuum: self = .vacuum
        case .analyze: self = .analyze
        case .checkpoint: self = .checkpoint
        }
    }
}

extension MaintenanceTask {
    /// - Throws: `invalidArgument` for a task that is not given or not known.
    package init(_ message: Linaje_V1_MaintenanceTask) throws {
        switch message {
        case .compact: self = .compact
        case .vacuum: self = .vacuum
        case .analyze: self = .analyze
        case .checkpoint: self = .checkpoint
        case .unspecified, .UNRECOGNIZED:
            throw WireFields.unknown(
                "task", message.rawValue, allowed: "COMPACT, VACUUM, ANALYZE or CHECKPOINT")
        }
    }
}

extension Linaje_V1_MaintenanceProgress {
    package init(_ progress: MaintenanceProgress) {
        self.init()
        database = progress.database
        task = Linaje_V1_MaintenanceTask(progress.task)
        done = progress.done
        left = progress.left
        freedBytes = progress.freed.bytes
        finished = progress.isFinished
        failure = progress.failure ?? ""
    }
}

extension MaintenanceProgress {
    /// - Throws: `invalidArgument` for a task that is not known.
    package init(_ message: Linaje_V1_MaintenanceProgress) throws {
        self.init(
            database: message.database, task: try MaintenanceTask(message.task),
            done: message.done, left: message.left, freed: ByteCount(message.freedBytes),
            isFinished: message.finished,
            failure: message.failure.isEmpty ? nil : message.failure)
    }
}
