package import LinajeDomain

extension Linaje_V1_CheckStoreRequest {
    package init(_ options: CheckOptions) {
        self.init()
        readData = options.readsData
        repair = options.repairs
        rebuildIndex = options.rebuildsIndex
        bytesPerSecond = UInt64(clamping: options.bytesPerSecond ?? 0)
    }
}

extension CheckOptions {
    package init(_ message: Linaje_V1_CheckStoreRequest) {
        self.init(
            readsData: message.readData, repairs: message.repair,
            rebuildsIndex: message.rebuildIndex,
            bytesPerSecond: message.bytesPerSecond == 0
                ? nil : Int(clamping: message.bytesPerSecond))
    }
}

extension Linaje_V1_CheckStoreNews {
    package init(_ news: CheckNews) {
        self.init()
        switch news {
        case .progress(let sum): progress = Linaje_V1_CheckStoreProgress(sum)
        case .finding(let found): finding = Linaje_V1_CheckStoreFinding(found)
        }
    }
}

extension CheckNews {
    /// - Throws: `invalidArgument` for news of nothing.
    package init(_ message: Linaje_V1_CheckStoreNews) throws {
        if message.hasFinding {
            self = .finding(try CheckFinding(message.finding))
        } else if message.hasProgress {
            self = .progress(CheckSum(message.progress))
        } else {
            throw WireFields.missing("progress or finding", of: "news of a check")
        }
    }
}

extension Linaje_V1_CheckStoreProgress {
    fileprivate init(_ sum: CheckSum) {
        self.init()
        packs = sum.packs
        totalPacks = sum.totalPacks
        bytes = sum.bytes
        totalBytes = sum.totalBytes
        blobs = sum.blobs
        roots = sum.roots
        findings = sum.findings
        repaired = sum.repaired
        waitingFor = sum.waitingFor
        finished = sum.isFinished
    }
}

extension CheckSum {
    fileprivate init(_ message: Linaje_V1_CheckStoreProgress) {
        self.init()
        packs = message.packs
        totalPacks = message.totalPacks
        bytes = message.bytes
        totalBytes = message.totalBytes
        blobs = message.blobs
        roots = message.roots
        findings = message.findings
        repaired = message.repaired
        waitingFor = message.waitingFor
        isFinished = message.finished
    }
}

extension Linaje_V1_CheckStoreFinding {
    fileprivate init(_ found: CheckFinding) {
        self.init()
        object = found.object
        finding = found.finding
        repair = found.repair
        repaired = found.isRepaired
        if let tree = found.tree { self.tree = tree.data }
        affected = found.affected
    }
}

extension CheckFinding {
    fileprivate init(_ message: Linaje_V1_CheckStoreFinding) throws {
        self.init(
            object: message.object, finding: message.finding, repair: message.repair,
            isRepaired: message.repaired,
            tree: try SHA256Digest.orNil(message.tree, noun: "tree digest"))
        affected = message.affected
    }
}

extension Linaje_V1_UpkeepStatus {
    package init(_ record: UpkeepRecord) {
        self.init()
        task = record.task
        begunAtUs = record.begunAt.microseconds
        endedAtUs = record.endedAt?.microseconds ?? 0
        bytes = record.bytes
        totalBytes = record.totalBytes
        findings = record.findings
        message = record.message
    }
}

extension UpkeepRecord {
    package init(_ message: Linaje_V1_UpkeepStatus) {
        self.init(
            task: message.task, begunAt: Timestamp(microseconds: message.begunAtUs),
            endedAt: message.endedAtUs == 0 ? nil : Timestamp(microseconds: message.endedAtUs),
            bytes: message.bytes, totalBytes: message.totalBytes, findings: message.findings,
            message: message.message)
    }
}
