package import LinajeDomain

extension Linaje_V1_CollectionNews {
    package init(_ news: CollectionNews) {
        self.init()
        switch news {
        case .progress(let sum): progress = Linaje_V1_CollectionProgress(sum)
        case .tree(let verdict): tree = Linaje_V1_CollectedTree(verdict)
        }
    }
}

extension CollectionNews {
    /// - Throws: `invalidArgument` for news of nothing.
    package init(_ message: Linaje_V1_CollectionNews) throws {
        if message.hasTree {
            self = .tree(try TreeVerdict(message.tree))
        } else if message.hasProgress {
            self = .progress(CollectionSum(message.progress))
        } else {
            throw WireFields.missing("progress or tree", of: "news of a collection")
        }
    }
}

extension Linaje_V1_CollectionProgress {
    fileprivate init(_ sum: CollectionSum) {
        self.init()
        roots = sum.roots
        blobs = sum.blobs
        totalBlobs = sum.totalBlobs
        condemned = sum.condemned
        condemnedBytes = sum.condemnedBytes
        rescued = sum.rescued
        waitingBytes = sum.waitingBytes
        removedPacks = sum.removedPacks
        rewrittenPacks = sum.rewrittenPacks
        freedBytes = sum.freedBytes
        findings = sum.findings
        waitingFor = sum.waitingFor
        finished = sum.isFinished
    }
}

extension CollectionSum {
    fileprivate init(_ message: Linaje_V1_CollectionProgress) {
        self.init()
        roots = message.roots
        blobs = message.blobs
        totalBlobs = message.totalBlobs
        condemned = message.condemned
        condemnedBytes = message.condemnedBytes
        rescued = message.rescued
        waitingBytes = message.waitingBytes
        removedPacks = message.removedPacks
        rewrittenPacks = message.rewrittenPacks
        freedBytes = message.freedBytes
        findings = message.findings
        waitingFor = message.waitingFor
        isFinished = message.finished
    }
}

extension Linaje_V1_CollectedTree {
    fileprivate init(_ verdict: TreeVerdict) {
        self.init()
        digest = verdict.digest.data
        files = verdict.files
        size = verdict.size
        kept = verdict.isKept
        reasons = verdict.reasons
        condemnedAtUs = verdict.condemnedAt?.microseconds ?? 0
        freedBytes = verdict.freed
    }
}

extension TreeVerdict {
    fileprivate init(_ message: Linaje_V1_CollectedTree) throws {
        self.init(
            digest: try SHA256Digest(message.digest, noun: "tree digest"), files: message.files,
            size: message.size, isKept: message.kept,
            condemnedAt: message.condemnedAtUs == 0
                ? nil : Timestamp(microseconds: message.condemnedAtUs),
            freed: message.freedBytes)
        reasons = message.reasons
    }
}

extension Linaje_V1_Hold {
    package init(_ hold: Hold) {
        self.init()
        tree = hold.tree.data
        reason = hold.reason
        principal = hold.principal
        placedAtUs = hold.placedAt.microseconds
    }
}

extension Hold {
    package init(_ message: Linaje_V1_Hold) throws {
        self.init(
            tree: try SHA256Digest(message.tree, noun: "tree digest"), reason: message.reason,
            principal: message.principal,
            placedAt: Timestamp(microseconds: message.placedAtUs))
    }
}
