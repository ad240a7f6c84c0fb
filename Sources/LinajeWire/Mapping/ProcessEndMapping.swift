package import LinajeDomain

extension Linaje_V1_ProcessEnd {
    package init(_ end: ProcessEnd) {
        self.init()
        reason =
            switch end.reason {
            case .unknown: .unspecified
            case .exited: .exited
            case .signaled: .signaled
            case .outOfMemory: .outOfMemory
            case .machineRestarted: .machineRestarted
            case .notStarted: .notStarted
            }
        source =
            switch end.source {
            case .nobody: .unspecified
            case .parent: .parent
            case .kernel: .kernel
            }
        if let code = end.exitCode { exitCode = code }
        if let number = end.signal { signal = number }
        coreDumped = end.coreDumped
        if let bytes = end.memoryLimit { memoryLimitBytes = bytes }
        if let bytes = end.peakMemory { peakMemoryBytes = bytes }
        if let time = end.durationMicroseconds { durationUs = time }
        if let time = end.userMicroseconds { userTimeUs = time }
        if let time = end.systemMicroseconds { systemTimeUs = time }
        lastErrors = end.lastErrors
    }
}

extension ProcessEnd {
    /// - Throws: `invalidArgument` for an unknown reason or source, `limitExceeded` for too many last
    ///   lines.
    package init(_ message: Linaje_V1_ProcessEnd) throws {
        self.init(
            reason: try Reason(message.reason), source: try Source(message.source))
        exitCode = message.hasExitCode ? message.exitCode : nil
        signal = message.hasSignal ? message.signal : nil
        coreDumped = message.coreDumped
        memoryLimit = message.hasMemoryLimitBytes ? message.memoryLimitBytes : nil
        peakMemory = message.hasPeakMemoryBytes ? message.peakMemoryBytes : nil
        durationMicroseconds = message.hasDurationUs ? message.durationUs : nil
        userMicroseconds = message.hasUserTimeUs ? message.userTimeUs : nil
        systemMicroseconds = message.hasSystemTimeUs ? message.systemTimeUs : nil
        lastErrors = message.lastErrors
        self = try checked()
    }
}

extension ProcessEnd.Reason {
    fileprivate init(_ message: Linaje_V1_EndReason) throws {
        switch message {
        case .unspecified: self = .unknown
        case .exited: self = .exited
        case .signaled: self = .signaled
        case .outOfMemory: self = .outOfMemory
        case .machineRestarted: self = .machineRestarted
        case .notStarted: self = .notStarted
        case .UNRECOGNIZED(let number):
            throw WireFields.unknown(
                "process_end.reason", number,
                allowed: "EXITED, SIGNALED, OUT_OF_MEMORY, MACHINE_RESTARTED or NOT_STARTED")
        }
    }
}

extension ProcessEnd.Source {
    fileprivate init(_ message: Linaje_V1_EndSource) throws {
        switch message {
        case .unspecified: self = .nobody
        case .parent: self = .parent
        case .kernel: self = .kernel
        case .UNRECOGNIZED(let number):
            throw WireFields.unknown("process_end.source", number, allowed: "PARENT or KERNEL")
        }
    }
}
