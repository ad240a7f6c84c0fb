/// What can be done with a version of a registered model, as far as a policy may refuse it.
public enum ModelUse: String, Sendable, Hashable, CaseIterable {
    /// An alias is set to it, or it is moved to Staging or Production.
    case promotion
    /// It becomes a version at all.
    case registration
    /// Its files are read by its models:/ name.
    case loading
}

/// The uses that a verdict blocks. What may not be registered or loaded may not be promoted either.
public struct BlockedUses: Sendable, Hashable, CustomStringConvertible {
    public let uses: Set<ModelUse>

    public static let nothing = BlockedUses()

    public init(_ uses: Set<ModelUse> = []) {
        self.uses = uses.isEmpty ? [] : uses.union([.promotion])
    }

    /// - Throws: `invalidArgument` unless the text is "nothing", or uses with commas between them.
    public init(parsing text: String) throws {
        var uses: Set<ModelUse> = []
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        for word in words where text != Self.nothing.description {
            guard let use = ModelUse(rawValue: String(word)) else {
                throw LinajeError(
                    .invalidArgument,
                    "\"\(text.prefix(80))\" names nothing that a policy blocks; use nothing, or one "
                        + "or more of promotion, registration and loading with commas between them")
            }
            uses.insert(use)
        }
        self.init(uses)
    }

    public func contains(_ use: ModelUse) -> Bool { uses.contains(use) }

    /// As `init(parsing:)` takes it: what follows from the rest is left out.
    public var description: String {
        if uses == [.promotion] { return ModelUse.promotion.rawValue }
        let named = ModelUse.allCases.filter { $0 != .promotion && uses.contains($0) }
        return named.isEmpty ? "nothing" : named.map(\.rawValue).joined(separator: ",")
    }
}

/// What a policy tells apart: the three verdicts, and that there is none.
public enum JudgedAs: String, Sendable, Hashable, CaseIterable {
    /// No file can hold code that loading runs, or nothing looked: the daemon has no flavor host, or
    /// the version is older than the scan.
    case none
    case safe
    case unknown
    case dangerous

    public init(_ verdict: ScanVerdict?) {
        switch verdict {
        case nil: self = .none
        case .safe: self = .safe
        case .unknown: self = .unknown
        case .dangerous: self = .dangerous
        }
    }

    /// - Throws: `invalidArgument` for another word.
    public init(parsing text: String) throws {
        guard let found = JudgedAs(rawValue: text) else {
            throw LinajeError(
                .invalidArgument,
                "verdict \"\(text.prefix(40))\" is not known; use none, safe, unknown or dangerous")
        }
        self = found
    }
}

/// What verdicts block. One of a model says nothing of some; for those the daemon's counts.
public struct ScanPolicy: Sendable, Hashable {
    private var rules: [JudgedAs: BlockedUses]

    /// - Parameter rules: verdicts that are left out are not decided.
    public init(_ rules: [JudgedAs: BlockedUses] = [:]) { self.rules = rules }

    /// Where nobody says anything: what does harm is not promoted.
    public static let standard = ScanPolicy([
        .none: .nothing, .safe: .nothing, .unknown: .nothing,
        .dangerous: BlockedUses([.promotion]),
    ])

    /// What a verdict blocks; `nil`: not decided here.
    public subscript(_ verdict: JudgedAs) -> BlockedUses? {
        get { rules[verdict] }
        set { rules[verdict] = newValue }
    }

    public var isEmpty: Bool { rules.isEmpty }

    /// This policy, and another one where it says nothing.
    public func over(_ other: ScanPolicy) -> ScanPolicy {
        ScanPolicy(rules.merging(other.rules) { own, _ in own })
    }

    /// What a verdict blocks; nothing where that is not decided.
    public func blocked(_ verdict: JudgedAs) -> BlockedUses { rules[verdict] ?? .nothing }
}

/// What shall be changed of a model's own policy.
public struct ScanPolicyChanges: Sendable, Hashable {
    /// What it decides from now on.
    public var set: ScanPolicy
    /// What it leaves to the daemon from now on.
    public var reset: Set<JudgedAs>

    public init(set: ScanPolicy = ScanPolicy(), reset: Set<JudgedAs> = []) {
        self.set = set
        self.reset = reset
    }

    /// - Throws: `invalidArgument` when they say nothing, or two things of one verdict.
    public func checked() throws -> ScanPolicyChanges {
        guard !set.isEmpty || !reset.isEmpty else {
            throw LinajeError(
                .invalidArgument, "no verdict is named; say what one blocks, or reset it")
        }
        if let both = JudgedAs.allCases.first(where: { reset.contains($0) && set[$0] != nil }) {
            throw LinajeError(
                .invalidArgument,
                "verdict \(both.rawValue) is set and reset at once; do one of the two")
        }
        return self
    }
}

/// That somebody answers for a version in spite of its verdict.
public struct RiskAcceptance: Sendable, Hashable {
    /// The verdict that was looked at; it counts for no other.
    public var verdict: JudgedAs
    public var reason: String
    public var principal: String
    public var at: Timestamp

    public init(verdict: JudgedAs, reason: String, principal: String, at: Timestamp) {
        self.verdict = verdict
        self.reason = reason
        self.principal = principal
        self.at = at
    }

    /// Whether it lifts what `verdict` blocks.
    public func covers(_ verdict: JudgedAs) -> Bool { self.verdict == verdict }
}
