/// Where a model version stands.
public enum Stage: String, Sendable, Hashable, Codable, CaseIterable {
    case none = "None"
    case staging = "Staging"
    case production = "Production"
    case archived = "Archived"

    /// - Throws: `invalidArgument` unless the text is a stage's name, in any case.
    public init(parsing text: String) throws {
        let lower = text.lowercased()
        guard let stage = Stage.allCases.first(where: { $0.rawValue.lowercased() == lower }) else {
            throw LinajeError(
                .invalidArgument,
                "stage \"\(text.prefix(80))\" is not known; use None, Staging, Production or "
                    + "Archived")
        }
        self = stage
    }

    /// Whether `archive_existing` makes sense: only one version at a time is meant to stand there.
    public var isExclusive: Bool { self == .staging || self == .production }
}

/// A model with a name and versions.
public struct RegisteredModel: Sendable, Hashable {
    public var name: String
    public var description: String
    public var createdAt: Timestamp
    public var updatedAt: Timestamp
    public var tags: [Tag]
    /// Alias to version.
    public var aliases: [String: UInt64]
    /// For each stage, the highest version in it.
    public var latestVersions: [ModelVersion]
    /// What its own policy says of verdicts, which may be nothing.
    public var scanPolicy: ScanPolicy
    /// What verdicts block: its own policy, and the daemon's where that says nothing.
    public var effectivePolicy: ScanPolicy

    public init(
        name: String, description: String = "", createdAt: Timestamp, updatedAt: Timestamp,
        tags: [Tag] = [], aliases: [String: UInt64] = [:], latestVersions: [ModelVersion] = [],
        scanPolicy: ScanPolicy = ScanPolicy(), effectivePolicy: ScanPolicy = ScanPolicy()
    ) {
        self.name = name
        self.description = description
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.tags = tags
        self.aliases = aliases
        self.latestVersions = latestVersions
        self.scanPolicy = scanPolicy
        self.effectivePolicy = effectivePolicy
    }
}

/// Names a version of a registered model.
public struct VersionName: Sendable, Hashable, Codable {
    public var name: String
    public var version: UInt64

    public init(name: String, version: UInt64) {
        self.name = name
        self.version = version
    }
}

/// One version of a registered model, pinned to its content.
public struct ModelVersion: Sendable, Hashable {
    public var name: String
    public var version: UInt64
    /// Digest of its tree.
    public var tree: SHA256Digest
    /// Sum of its files' sizes in bytes.
    public var size: UInt64
    /// Where it was registered from, as given.
    public var source: String
    public var runID: RunID?
    public var loggedModelID: LoggedModelID?
    public var stage: Stage
    public var description: String
    public var createdAt: Timestamp
    public var updatedAt: Timestamp
    public var tags: [Tag]
    public var aliases: [String]
    /// What its files say it is.
    public var model: ModelDescription
    /// Who registered it.
    public var principal: String
    /// Who answers for it in spite of its verdict.
    public var acceptance: RiskAcceptance?
    /// What the policy refuses to do with it now; nothing when the risk was accepted.
    public var blocked: BlockedUses

    public init(
        name: String, version: UInt64, tree: SHA256Digest, size: UInt64, source: String,
        runID: RunID? = nil, loggedModelID: LoggedModelID? = nil, stage: Stage = .none,
        description: String = "", createdAt: Timestamp, updatedAt: Timestamp, tags: [Tag] = [],
        aliases: [String] = [], model: ModelDescription = ModelDescription(),
        principal: String = "", acceptance: RiskAcceptance? = nil,
        blocked: BlockedUses = .nothing
    ) {
        self.name = name
        self.version = version
        self.tree = tree
        self.size = size
        self.source = source
        self.runID = runID
        self.loggedModelID = loggedModelID
        self.stage = stage
        self.description = description
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.tags = tags
        self.aliases = aliases
        self.model = model
        self.principal = principal
        self.acceptance = acceptance
        self.blocked = blocked
    }
}

/// How far a logged model is.
public enum LoggedModelStatus: String, Sendable, Hashable, Codable {
    case pending = "PENDING"
    case ready = "READY"
    case uploadFailed = "UPLOAD_FAILED"
    /// A retention policy let go of its files; the rest of it stays.
    case released = "RELEASED"
}

/// A model that a run wrote, before and beside any registration.
public struct LoggedModel: Sendable, Hashable {
    public var id: LoggedModelID
    public var experimentID: ExperimentID
    public var runID: RunID?
    public var name: String
    public var status: LoggedModelStatus
    public var statusMessage: String
    public var modelType: String
    /// `nil` until READY.
    public var tree: SHA256Digest?
    public var size: UInt64
    public var step: Int64
    public var createdAt: Timestamp
    public var updatedAt: Timestamp
    public var tags: [Tag]
    public var params: [Param]
    public var model: ModelDescription
    public var registrations: [VersionName]

    public init(
        id: LoggedModelID, experimentID: ExperimentID, runID: RunID? = nil, name: String,
        status: LoggedModelStatus = .pending, statusMessage: String = "", modelType: String = "",
        tree: SHA256Digest? = nil, size: UInt64 = 0, step: Int64 = 0, createdAt: Timestamp,
        updatedAt: Timestamp, tags: [Tag] = [], params: [Param] = [],
        model: ModelDescription = ModelDescription(), registrations: [VersionName] = []
    ) {
        self.id = id
        self.experimentID = experimentID
        self.runID = runID
        self.name = name
        self.status = status
        self.statusMessage = statusMessage
        self.modelType = modelType
        self.tree = tree
        self.size = size
        self.step = step
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.tags = tags
        self.params = params
        self.model = model
        self.registrations = registrations
    }
}
