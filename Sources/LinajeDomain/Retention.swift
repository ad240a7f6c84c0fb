/// What a retention policy is about.
public enum RetentionSubject: Sendable, Hashable, CustomStringConvertible {
    /// The checkpoints of an experiment: logged models, and folders of runs that are named after a step.
    case experiment(ExperimentID)
    /// The versions of a registered model.
    case model(String)

    /// "experiment 3", "model iris".
    public var description: String {
        switch self {
        case .experiment(let id): "experiment \(id)"
        case .model(let name): "model \(name)"
        }
    }
}

/// That what belongs to a subject is kept by rules.
public struct RetentionPolicy: Sendable, Hashable {
    public var subject: RetentionSubject
    public var rules: RetentionRules
    /// Whether the daemon applies it by itself, before it collects garbage.
    public var isAutomatic: Bool
    /// Who said so, and when.
    public var principal: String
    public var setAt: Timestamp
    /// `nil`: it has let nothing go yet.
    public var lastApplication: RetentionApplication?

    public init(
        subject: RetentionSubject, rules: RetentionRules, isAutomatic: Bool = false,
        principal: String, setAt: Timestamp, lastApplication: RetentionApplication? = nil
    ) {
        self.subject = subject
        self.rules = rules
        self.isAutomatic = isAutomatic
        self.principal = principal
        self.setAt = setAt
        self.lastApplication = lastApplication
    }
}

/// What an application of a policy came to.
public struct RetentionApplication: Sendable, Hashable {
    public var at: Timestamp
    /// What was let go of, and its bytes that nothing else needed.
    public var items: UInt64
    public var bytes: UInt64
    /// Whether the daemon did it by itself.
    public var isAutomatic: Bool

    public init(at: Timestamp, items: UInt64, bytes: UInt64, isAutomatic: Bool) {
        self.at = at
        self.items = items
        self.bytes = bytes
        self.isAutomatic = isAutomatic
    }
}

/// A row of the catalog that needs a tree.
public struct RetentionPart: Sendable, Hashable {
    public enum Place: Sendable, Hashable, CustomStringConvertible {
        case version(name: String, version: UInt64)
        case loggedModel(LoggedModelID)
        case mount(RunID, position: Int64, path: String)

        /// As a collection says it of a tree: "model version iris/3", "run 0ab…, path model".
        public var description: String {
            switch self {
            case .version(let name, let version): "model version \(name)/\(version)"
            case .loggedModel(let id): "logged model \(id)"
            case .mount(let run, _, let path): "run \(run)" + (path.isEmpty ? "" : ", path \(path)")
            }
        }
    }

    public var place: Place
    public var tree: SHA256Digest
    /// Bytes of the tree's files.
    public var size: UInt64

    public init(place: Place, tree: SHA256Digest, size: UInt64) {
        self.place = place
        self.tree = tree
        self.size = size
    }
}

/// Something that a policy keeps or lets go of, as a whole.
public struct RetentionItem: Sendable, Hashable {
    /// What it is called: "models:/iris/3", "models:/m-…", "runs:/…/checkpoint-500".
    public var name: String
    /// What it is itself.
    public var parts: [RetentionPart]
    /// What it was registered from: let go of with it when no other version has that content.
    public var sources: [RetentionPart]
    /// Versions, of any model, that have the content.
    public var versions: Int
    public var run: RunID?
    /// The step of a checkpoint, the number of a version.
    public var step: Int64
    public var createdAt: Timestamp
    /// The policy's metric; `nil` when it is not known.
    public var value: Double?
    /// The step at which the run's metric is its value, rather than `value`; `nil`: `value` it is.
    public var metricStep: Int64?
    /// Why it stays whatever the policy says: "alias champion", "held: audit"; `nil`: nothing protects it.
    public var protection: String?

    public init(
        name: String, parts: [RetentionPart], sources: [RetentionPart] = [], versions: Int = 0,
        run: RunID? = nil, step: Int64 = 0, createdAt: Timestamp, value: Double? = nil,
        metricStep: Int64? = nil, protection: String? = nil
    ) {
        self.name = name
        self.parts = parts
        self.sources = sources
        self.versions = versions
        self.run = run
        self.step = step
        self.createdAt = createdAt
        self.value = value
        self.metricStep = metricStep
        self.protection = protection
    }

    /// Bytes of its trees, each once.
    public var size: UInt64 {
        var seen: Set<SHA256Digest> = []
        return parts.reduce(0) { sum, part in
            guard seen.insert(part.tree).inserted else { return sum }
            let (next, isOver) = sum.addingReportingOverflow(part.size)
            return isOver ? .max : next
        }
    }
}

/// What a policy says of one item.
public struct RetentionVerdict: Sendable, Hashable {
    public var item: RetentionItem
    public var isKept: Bool
    /// The rules that keep it, or why it goes.
    public var reasons: [String]

    public init(item: RetentionItem, isKept: Bool, reasons: [String]) {
        self.item = item
        self.isKept = isKept
        self.reasons = reasons
    }
}

/// What a plan or an application tells of one item.
public struct RetentionLine: Sendable, Hashable {
    public var name: String
    public var isKept: Bool
    /// The rules that keep it, or why it goes.
    public var reasons: [String]
    /// Bytes of its files.
    public var size: UInt64
    /// Bytes of them that nothing else needs then; 0 for an item that is kept.
    public var freed: UInt64
    /// The step of a checkpoint, the number of a version.
    public var step: Int64
    public var createdAt: Timestamp
    /// The policy's metric; `nil` when it is not known, or the policy asks for none.
    public var value: Double?
    public var trees: [SHA256Digest]

    public init(
        name: String, isKept: Bool, reasons: [String], size: UInt64, freed: UInt64 = 0,
        step: Int64 = 0, createdAt: Timestamp, value: Double? = nil, trees: [SHA256Digest] = []
    ) {
        self.name = name
        self.isKept = isKept
        self.reasons = reasons
        self.size = size
        self.freed = freed
        self.step = step
        self.createdAt = createdAt
        self.value = value
        self.trees = trees
    }
}

/// What a plan comes to, or an application came to.
public struct RetentionSum: Sendable, Hashable {
    /// Names what would be let go of: the same while that is the same.
    public var plan: SHA256Digest
    public var kept: UInt64
    public var keptBytes: UInt64
    public var freed: UInt64
    /// Bytes of what goes that nothing else needs then.
    public var freedBytes: UInt64
    /// Whether it was done, rather than only said.
    public var isApplied: Bool

    public init(
        plan: SHA256Digest, kept: UInt64 = 0, keptBytes: UInt64 = 0, freed: UInt64 = 0,
        freedBytes: UInt64 = 0, isApplied: Bool = false
    ) {
        self.plan = plan
        self.kept = kept
        self.keptBytes = keptBytes
        self.freed = freed
        self.freedBytes = freedBytes
        self.isApplied = isApplied
    }
}

/// What a plan or an application tells: items, newest first, then the sum.
public enum RetentionNews: Sendable, Hashable {
    case item(RetentionLine)
    case sum(RetentionSum)
}
