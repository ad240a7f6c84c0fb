package import LinajeDomain

extension Linaje_V1_PurgeRunsRequest {
    package init(_ purge: RunPurge) {
        self.init()
        switch purge.choice {
        case .runs(let ids, let alsoActive):
            runIds = ids.map(\.data)
            self.alsoActive = alsoActive
        case .deletedFor(let age):
            deletedForS = UInt64(clamping: age.components.seconds)
        }
        dryRun = purge.isDryRun
    }
}

extension RunPurge {
    /// - Throws: `invalidArgument` unless runs are named one way; `limitExceeded` for too many.
    package init(_ message: Linaje_V1_PurgeRunsRequest) throws {
        guard message.runIds.isEmpty == message.hasDeletedForS else {
            throw LinajeError(
                .invalidArgument, "purge needs ids of runs, or for how long runs were deleted")
        }
        guard message.runIds.count <= Limits.purgedRuns else {
            throw LinajeError(
                .limitExceeded,
                "purge names \(message.runIds.count) runs; at most \(Limits.purgedRuns) are "
                    + "allowed in one call: split it")
        }
        guard message.hasDeletedForS else {
            let ids = try WireFields.items(message.runIds, field: "run_ids") { try RunID($0) }
            self.init(.runs(ids, alsoActive: message.alsoActive), isDryRun: message.dryRun)
            return
        }
        let seconds = Int64(clamping: message.deletedForS)
        self.init(.deletedFor(.seconds(seconds)), isDryRun: message.dryRun)
    }
}

extension Linaje_V1_PurgedRun {
    package init(_ run: PurgedRun) {
        self.init()
        runID = run.id.data
        name = run.name
        experimentID = run.experimentID
        deletedAtUs = run.deletedAt?.microseconds ?? 0
        points = run.points
        logBytes = run.logBytes.bytes
        finished = run.isFinished
        failureCode = run.failure?.code.rawValue ?? 0
        failure = run.failure?.message ?? ""
    }
}

extension PurgedRun {
    package init(_ message: Linaje_V1_PurgedRun) throws {
        self.init(
            id: try RunID(message.runID), name: message.name, experimentID: message.experimentID,
            deletedAt: message.deletedAtUs == 0
                ? nil : Timestamp(microseconds: message.deletedAtUs))
        points = message.points
        logBytes = ByteCount(message.logBytes)
        isFinished = message.finished
        guard message.failureCode != 0 else { return }
        failure = LinajeError(LinajeError.Code(rawValue: message.failureCode), message.failure)
    }
}
