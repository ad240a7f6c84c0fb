package import LinajeDomain

extension Linaje_V1_RunStatus {
    package init(_ status: RunStatus) {
        switch status {
        case .running: self = .running
        case .scheduled: self = .scheduled
        case .finished: self = .finished
        case .failed: self = .failed
        case .killed: self = .killed
        case .stalled: self = .stalled
        }
    }
}

extension RunStatus {
    /// - Throws: `invalidArgument` for a status that is not given or not known.
    package init(_ message: Linaje_V1_RunStatus) throws {
        switch message {
        case .running: self = .running
        case .scheduled: self = .scheduled
        case .finished: self = .finished
        case .failed: self = .failed
        case .killed: self = .killed
        case .stalled: self = .stalled
        case .unspecified, .UNRECOGNIZED:
            throw WireFields.unknown(
                "status", message.rawValue,
                allowed: "RUNNING, SCHEDULED, FINISHED, FAILED, KILLED or STALLED")
        }
    }
}

extension Linaje_V1_Lease {
    package init(_ lease: Lease) {
        self.init()
        switch lease {
        case .detached: kind = .detached
        case .process(let pid, let start, let boot, let supervises):
            kind = .process
            self.pid = pid
            startTicks = start
            self.boot = boot
            self.supervises = supervises
        case .heartbeat(let timeout):
            kind = .heartbeat
            // 0 on the wire stands for the default, so less than a second is sent as one.
            heartbeatTimeoutS = max(1, UInt32(clamping: timeout.components.seconds))
        }
    }
}

extension Lease {
    /// The server, which believes the kernel only, fills in process, start and boot itself whatever a
    /// client says.
    ///
    /// - Throws: `invalidArgument` for an unknown kind.
    package init(_ message: Linaje_V1_Lease) throws {
        switch message.kind {
        case .unspecified, .detached: self = .detached
        case .process:
            self = .process(
                pid: message.pid, start: message.startTicks, boot: message.boot,
                supervises: message.supervises)
        case .heartbeat:
            self = .heartbeat(
                timeout: message.heartbeatTimeoutS == 0
                    ? Limits.heartbeatTimeout : .seconds(Int64(message.heartbeatTimeoutS)))
        case .UNRECOGNIZED(let number):
            throw WireFields.unknown(
                "lease.kind", number, allowed: "DETACHED, PROCESS or HEARTBEAT")
        }
    }
}

extension Linaje_V1_Run {
    package init(_ run: Run) {
        self.init()
        id = run.id.data
        experimentID = run.experimentID
        name = run.name
        status = Linaje_V1_RunStatus(run.status)
        lifecycle = Linaje_V1_Lifecycle(run.lifecycle)
        user = run.user
        principal = run.principal
        if let parent = run.parentID { parentID = parent.data }
        startedAtUs = run.startedAt.microseconds
        endedAtUs = run.endedAt?.microseconds ?? 0
        endedCause = run.endedCause
        params = run.params.map(Linaje_V1_Param.init)
        tags = run.tags.map(Linaje_V1_Tag.init)
        if !run.metrics.isEmpty { metrics = Linaje_V1_RunMetrics(run.metrics) }
        datasets = run.datasets.map(Linaje_V1_DatasetInput.init)
        modelInputs = run.modelInputs.map(Linaje_V1_ModelLink.init)
        modelOutputs = run.modelOutputs.map(Linaje_V1_ModelLink.init)
        if let known = run.provenance { provenance = Linaje_V1_Provenance(known) }
        lease = Linaje_V1_Lease(run.lease)
        lease.lastHeardAtUs = run.ownerHeardAt?.microseconds ?? 0
        if let end = run.processEnd { processEnd = Linaje_V1_ProcessEnd(end) }
    }
}

extension Run {
    /// - Throws: `invalidArgument` or `limitExceeded` naming the field that is not right.
    package init(_ message: Linaje_V1_Run) throws {
        self.init(
            id: try RunID(message.id), experimentID: message.experimentID, name: message.name,
            status: try RunStatus(message.status), lifecycle: try Lifecycle(message.lifecycle),
            user: message.user, principal: message.principal,
            parentID: try RunID.orNil(message.parentID),
            startedAt: Timestamp(microseconds: message.startedAtUs),
            endedAt: message.endedAtUs == 0 ? nil : Timestamp(microseconds: message.endedAtUs),
            endedCause: message.endedCause,
            params: try message.params.map { try Param($0) },
            tags: try message.tags.map { try Tag($0) },
            metrics: message.hasMetrics ? try [RunMetric](message.metrics) : [],
            datasets: try message.datasets.map { try DatasetInput($0) },
            modelInputs: try message.modelInputs.map { try ModelLink($0) },
            modelOutputs: try message.modelOutputs.map { try ModelLink($0) },
            provenance: message.hasProvenance ? Provenance(message.provenance) : nil,
            lease: try Lease(message.lease),
            ownerHeardAt: message.lease.lastHeardAtUs == 0
                ? nil : Timestamp(microseconds: message.lease.lastHeardAtUs),
            processEnd: message.hasProcessEnd ? try ProcessEnd(message.processEnd) : nil)
    }
}
