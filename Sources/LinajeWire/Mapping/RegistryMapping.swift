package import LinajeDomain

extension Linaje_V1_Stage {
    package init(_ stage: Stage) {
        switch stage {
        case .none: self = .none
        case .staging: self = .staging
        case .production: self = .production
        case .archived: self = .archived
        }
    }
}

extension Stage {
    /// - Throws: `invalidArgument` for a stage that is not given or not known.
    package init(_ message: Linaje_V1_Stage) throws {
        switch message {
        case .none: self = .none
        case .staging: self = .staging
        case .production: self = .production
        case .archived: self = .archived
        case .unspecified, .UNRECOGNIZED:
            throw WireFields.unknown(
                "stage", message.rawValue, allowed: "NONE, STAGING, PRODUCTION or ARCHIVED")
        }
    }
}

extension Linaje_V1_RegisteredModel {
    package init(_ model: RegisteredModel) {
        self.init()
        name = model.name
        description_p = model.description
        createdAtUs = model.createdAt.microseconds
        updatedAtUs = model.updatedAt.microseconds
        tags = model.tags.map(Linaje_V1_Tag.init)
        aliases = model.aliases.sorted { $0.key < $1.key }.map { alias in
            var message = Linaje_V1_Alias()
            message.name = alias.key
            message.version = alias.value
            return message
        }
        latestVersions = model.latestVersions.map(Linaje_V1_ModelVersion.init)
        if !model.scanPolicy.isEmpty { scanPolicy = Linaje_V1_ScanPolicy(model.scanPolicy) }
        if !model.effectivePolicy.isEmpty {
            effectivePolicy = Linaje_V1_ScanPolicy(model.effectivePolicy)
        }
    }
}

extension RegisteredModel {
    /// - Throws: `invalidArgument` or `limitExceeded` naming the field that is not right.
    package init(_ message: Linaje_V1_RegisteredModel) throws {
        self.init(
            name: try Names.registeredModel(message.name), description: message.description_p,
            createdAt: Timestamp(microseconds: message.createdAtUs),
            updatedAt: Timestamp(microseconds: message.updatedAtUs),
            tags: try message.tags.map { try Tag($0) },
            aliases: Dictionary(
                message.aliases.map { ($0.name, $0.version) }, uniquingKeysWith: { $1 }),
            latestVersions: try message.latestVersions.map { try ModelVersion($0) },
            scanPolicy: ScanPolicy(message.scanPolicy),
            effectivePolicy: ScanPolicy(message.effectivePolicy))
    }
}

extension Linaje_V1_VersionName {
    package init(_ version: VersionName) {
        self.init()
        name = version.name
        self.version = version.version
    }
}

extension VersionName {
    package init(_ message: Linaje_V1_VersionName) {
        self.init(name: message.name, version: message.version)
    }
}

extension Linaje_V1_ModelVersion {
    package init(_ version: ModelVersion) {
        self.init()
        name = version.name
        self.version = version.version
        tree = version.tree.data
        size = version.size
        source = version.source
        if let run = version.runID { runID = run.data }
        if let logged = version.loggedModelID { loggedModelID = logged.data }
        stage = Linaje_V1_Stage(version.stage)
        description_p = version.description
        createdAtUs = version.createdAt.microseconds
        updatedAtUs = version.updatedAt.microseconds
        tags = version.tags.map(Linaje_V1_Tag.init)
        aliases = version.aliases
        model = Linaje_V1_ModelDescription(version.model)
        principal = version.principal
        if let found = version.acceptance { acceptance = Linaje_V1_RiskAcceptance(found) }
        if version.blocked != .nothing { blocked = Linaje_V1_BlockedUses(version.blocked) }
    }
}

extension ModelVersion {
    /// - Throws: `invalidArgument` or `limitExceeded` naming the field that is not right.
    package init(_ message: Linaje_V1_ModelVersion) throws {
        self.init(
            name: try Names.registeredModel(message.name), version: message.version,
            tree: try SHA256Digest(message.tree, noun: "tree of the model version"),
            size: message.size, source: message.source,
            runID: try RunID.orNil(message.runID),
            loggedModelID: try LoggedModelID.orNil(message.loggedModelID),
            stage: try Stage(message.stage), description: message.description_p,
            createdAt: Timestamp(microseconds: message.createdAtUs),
            updatedAt: Timestamp(microseconds: message.updatedAtUs),
            tags: try message.tags.map { try Tag($0) }, aliases: message.aliases,
            model: try ModelDescription(message.model), principal: message.principal,
            acceptance: message.hasAcceptance ? try RiskAcceptance(message.acceptance) : nil,
            blocked: BlockedUses(message.blocked))
    }
}
