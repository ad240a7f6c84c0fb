package import LinajeDomain

extension Linaje_V1_BlockedUses {
    package init(_ blocked: BlockedUses) {
        self.init()
        promotion = blocked.contains(.promotion)
        registration = blocked.contains(.registration)
        loading = blocked.contains(.loading)
    }
}

extension BlockedUses {
    package init(_ message: Linaje_V1_BlockedUses) {
        var uses: Set<ModelUse> = []
        if message.promotion { uses.insert(.promotion) }
        if message.registration { uses.insert(.registration) }
        if message.loading { uses.insert(.loading) }
        self.init(uses)
    }
}

extension Linaje_V1_ScanPolicy {
    package init(_ policy: ScanPolicy) {
        self.init()
        if let blocked = policy[.none] { none = Linaje_V1_BlockedUses(blocked) }
        if let blocked = policy[.safe] { safe = Linaje_V1_BlockedUses(blocked) }
        if let blocked = policy[.unknown] { unknown = Linaje_V1_BlockedUses(blocked) }
        if let blocked = policy[.dangerous] { dangerous = Linaje_V1_BlockedUses(blocked) }
    }
}

extension ScanPolicy {
    package init(_ message: Linaje_V1_ScanPolicy) {
        self.init()
        if message.hasNone { self[.none] = BlockedUses(message.none) }
        if message.hasSafe { self[.safe] = BlockedUses(message.safe) }
        if message.hasUnknown { self[.unknown] = BlockedUses(message.unknown) }
        if message.hasDangerous { self[.dangerous] = BlockedUses(message.dangerous) }
    }
}

extension Linaje_V1_SetScanPolicyRequest {
    package init(_ name: String, _ changes: ScanPolicyChanges) {
        self.init()
        self.name = name
        if !changes.set.isEmpty { set = Linaje_V1_ScanPolicy(changes.set) }
        reset = JudgedAs.allCases.filter(changes.reset.contains).map(\.rawValue)
    }
}

extension ScanPolicyChanges {
    /// - Throws: `invalidArgument` for a verdict that is not known.
    package init(_ message: Linaje_V1_SetScanPolicyRequest) throws {
        self.init(
            set: ScanPolicy(message.set),
            reset: Set(
                try WireFields.items(message.reset, field: "reset") { try JudgedAs(parsing: $0) }))
    }
}

extension Linaje_V1_RiskAcceptance {
    package init(_ acceptance: RiskAcceptance) {
        self.init()
        verdict = acceptance.verdict.rawValue
        reason = acceptance.reason
        principal = acceptance.principal
        acceptedAtUs = acceptance.at.microseconds
    }
}

extension RiskAcceptance {
    /// - Throws: `invalidArgument` for a verdict that is not known.
    package init(_ message: Linaje_V1_RiskAcceptance) throws {
        self.init(
            verdict: try JudgedAs(parsing: message.verdict), reason: message.reason,
            principal: message.principal, at: Timestamp(microseconds: message.acceptedAtUs))
    }
}
