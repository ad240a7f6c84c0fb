package import LinajeDomain

extension Linaje_V1_RetentionSubject {
    package init(_ subject: RetentionSubject) {
        self.init()
        switch subject {
        case .experiment(let id): experimentID = id
        case .model(let name): model = name
        }
    }
}

extension RetentionSubject {
    /// - Throws: `invalidArgument` when nothing is named.
    package init(_ message: Linaje_V1_RetentionSubject) throws {
        switch message.subject {
        case .experimentID(let id)?: self = .experiment(id)
        case .model(let name)?: self = .model(try Names.registeredModel(name))
        case nil: throw WireFields.missing("subject", of: "retention policy")
        }
    }
}

extension Linaje_V1_RetentionRules {
    package init(_ rules: RetentionRules) {
        self.init()
        best = UInt64(clamping: rules.best)
        metric = rules.metric
        maximum = rules.isMaximum
        last = UInt64(clamping: rules.last)
        maxAgeS = UInt64(clamping: rules.maxAge.components.seconds)
        everyStep = UInt64(clamping: rules.everyStep)
        maxBytes = rules.maxBytes
        perRun = rules.isPerRun
    }
}

extension RetentionRules {
    package init(_ message: Linaje_V1_RetentionRules) {
        self.init(
            best: Int(clamping: message.best), metric: message.metric,
            isMaximum: message.maximum, last: Int(clamping: message.last),
            maxAge: .seconds(Int64(clamping: message.maxAgeS)),
            everyStep: Int64(clamping: message.everyStep), maxBytes: message.maxBytes,
            isPerRun: message.perRun)
    }
}

extension Linaje_V1_RetentionPolicy {
    package init(_ policy: RetentionPolicy) {
        self.init()
        subject = Linaje_V1_RetentionSubject(policy.subject)
        rules = Linaje_V1_RetentionRules(policy.rules)
        automatic = policy.isAutomatic
        principal = policy.principal
        setAtUs = policy.setAt.microseconds
        guard let last = policy.lastApplication else { return }
        lastApplication.appliedAtUs = last.at.microseconds
        lastApplication.items = last.items
        lastApplication.bytes = last.bytes
        lastApplication.automatic = last.isAutomatic
    }
}

extension RetentionPolicy {
    package init(_ message: Linaje_V1_RetentionPolicy) throws {
        let last = message.lastApplication
        self.init(
            subject: try RetentionSubject(message.subject), rules: RetentionRules(message.rules),
            isAutomatic: message.automatic, principal: message.principal,
            setAt: Timestamp(microseconds: message.setAtUs),
            lastApplication: message.hasLastApplication
                ? RetentionApplication(
                    at: Timestamp(microseconds: last.appliedAtUs), items: last.items,
                    bytes: last.bytes, isAutomatic: last.automatic) : nil)
    }
}

extension Linaje_V1_RetentionNews {
    package init(_ news: RetentionNews) {
        self.init()
        switch news {
        case .item(let line): item = Linaje_V1_RetentionItem(line)
        case .sum(let sum): self.sum = Linaje_V1_RetentionSum(sum)
        }
    }
}

extension RetentionNews {
    /// - Throws: `invalidArgument` for news of nothing.
    package init(_ message: Linaje_V1_RetentionNews) throws {
        if message.hasItem {
            self = .item(try RetentionLine(message.item))
        } else if message.hasSum {
            self = .sum(try RetentionSum(message.sum))
        } else {
            throw WireFields.missing("item or sum", of: "news of a retention policy")
        }
    }
}

extension Linaje_V1_RetentionItem {
    fileprivate init(_ line: RetentionLine) {
        self.init()
        name = line.name
        kept = line.isKept
        reasons = line.reasons
        size = line.size
        freedBytes = line.freed
        step = line.step
        createdAtUs = line.createdAt.microseconds
        if let known = line.value { value = known }
        trees = line.trees.map(\.data)
    }
}

extension RetentionLine {
    fileprivate init(_ message: Linaje_V1_RetentionItem) throws {
        self.init(
            name: message.name, isKept: message.kept, reasons: message.reasons,
            size: message.size, freed: message.freedBytes, step: message.step,
            createdAt: Timestamp(microseconds: message.createdAtUs),
            value: message.hasValue ? message.value : nil,
            trees: try message.trees.map { try SHA256Digest($0, noun: "tree digest") })
    }
}

extension Linaje_V1_RetentionSum {
    fileprivate init(_ sum: RetentionSum) {
        self.init()
        plan = sum.plan.data
        kept = sum.kept
        keptBytes = sum.keptBytes
        freed = sum.freed
        freedBytes = sum.freedBytes
        applied = sum.isApplied
    }
}

extension RetentionSum {
    fileprivate init(_ message: Linaje_V1_RetentionSum) throws {
        self.init(
            plan: try SHA256Digest(message.plan, noun: "digest of the plan"), kept: message.kept,
            keptBytes: message.keptBytes, freed: message.freed, freedBytes: message.freedBytes,
            isApplied: message.applied)
    }
}
