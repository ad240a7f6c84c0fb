public import LinajeDomain
import LinajeWire

/// What a models:/ URI points at.
public enum ResolvedModel: Sendable, Hashable {
    case version(ModelVersion)
    case loggedModel(LoggedModel)

    /// The digest of its tree; `nil` for a logged model that is not READY.
    public var tree: SHA256Digest? {
        switch self {
        case .version(let version): version.tree
        case .loggedModel(let model): model.tree
        }
    }
}

/// Whether an alias may be set.
public enum AliasExpectation: Sendable, Hashable {
    case any
    /// Only if the alias does not exist.
    case absent
    /// Only if it points at this version.
    case version(UInt64)
}

extension LinajeClient {
    /// Creates a registered model; a taken name is `alreadyExists`.
    public func createRegisteredModel(
        _ name: String, description: String = "", tags: [Tag] = []
    ) async throws -> RegisteredModel {
        var request = Linaje_V1_CreateRegisteredModelRequest()
        request.name = name
        request.description_p = description
        request.tags = tags.map(Linaje_V1_Tag.init)
        return try RegisteredModel(await call(Methods.createRegisteredModel, request))
    }

    /// The registered model of this name.
    public func registeredModel(_ name: String) async throws -> RegisteredModel {
        var request = Linaje_V1_GetRegisteredModelRequest()
        request.name = name
        return try RegisteredModel(await call(Methods.getRegisteredModel, request))
    }

    /// Lists registered models by name.
    public func registeredModels(
        containing text: String = "", tags: [Tag] = [], search: SearchTerms = SearchTerms(),
        page: Page? = nil
    ) async throws -> Paged<RegisteredModel> {
        var request = Linaje_V1_SearchRegisteredModelsRequest()
        request.search = Linaje_V1_Search(search)
        request.nameContains = text
        request.tags = tags.map(Linaje_V1_Tag.init)
        if let page { request.page = Linaje_V1_Page(page) }
        let response = try await call(Methods.searchRegisteredModels, request)
        return Paged(
            try response.models.map { try RegisteredModel($0) },
            nextPageToken: response.nextPageToken, facts: SearchFacts(response.facts))
    }

    /// Changes a registered model; what is `nil` stays.
    public func updateRegisteredModel(
        _ name: String, newName: String? = nil, description: String? = nil,
        tags: TagChanges = TagChanges()
    ) async throws -> RegisteredModel {
        var request = Linaje_V1_UpdateRegisteredModelRequest()
        request.name = name
        if let newName { request.newName = newName }
        if let description { request.description_p = description }
        if !tags.isEmpty { request.tags = Linaje_V1_TagChanges(tags) }
        return try RegisteredModel(await call(Methods.updateRegisteredModel, request))
    }

    /// Deletes a registered model with its versions and aliases; its history stays.
    public func deleteRegisteredModel(_ name: String) async throws {
        var request = Linaje_V1_DeleteRegisteredModelRequest()
        request.name = name
        _ = try await call(Methods.deleteRegisteredModel, request)
    }

    /// Registers the next version of a model.
    ///
    /// - Parameters:
    ///   - source: runs:/ID/path, models:/m-ID, models:/NAME/3 or tree:sha256:HEX.
    ///   - createModel: creates the model if it is not there.
    public func createModelVersion(
        _ name: String, source: String, run: RunID? = nil, description: String = "",
        tags: [Tag] = [], createModel: Bool = true
    ) async throws -> ModelVersion {
        var request = Linaje_V1_CreateModelVersionRequest()
        request.name = name
        request.source = source
        if let run { request.runID = run.data }
        request.description_p = description
        request.tags = tags.map(Linaje_V1_Tag.init)
        request.createModel = createModel
        return try ModelVersion(await call(Methods.createModelVersion, request))
    }

    /// One version of a registered model.
    public func modelVersion(_ name: String, _ version: UInt64) async throws -> ModelVersion {
        var request = Linaje_V1_GetModelVersionRequest()
        request.name = name
        request.version = version
        return try ModelVersion(await call(Methods.getModelVersion, request))
    }

    /// Lists versions, newest first. Empty conditions mean any.
    public func modelVersions(
        of name: String = "", run: RunID? = nil, stages: [Stage] = [], tags: [Tag] = [],
        search: SearchTerms = SearchTerms(),
        page: Page? = nil
    ) async throws -> Paged<ModelVersion> {
        var request = Linaje_V1_SearchModelVersionsRequest()
        request.search = Linaje_V1_Search(search)
        request.name = name
        if let run { request.runID = run.data }
        request.stages = stages.map(Linaje_V1_Stage.init)
        request.tags = tags.map(Linaje_V1_Tag.init)
        if let page { request.page = Linaje_V1_Page(page) }
        let response = try await call(Methods.searchModelVersions, request)
        return Paged(
            try response.versions.map { try ModelVersion($0) },
            nextPageToken: response.nextPageToken, facts: SearchFacts(response.facts))
    }

    /// Changes a version; what is `nil` stays.
    public func updateModelVersion(
        _ name: String, _ version: UInt64, description: String? = nil,
        tags: TagChanges = TagChanges()
    ) async throws -> ModelVersion {
        var request = Linaje_V1_UpdateModelVersionRequest()
        request.name = name
        request.version = version
        if let description { request.description_p = description }
        if !tags.isEmpty { request.tags = Linaje_V1_TagChanges(tags) }
        return try ModelVersion(await call(Methods.updateModelVersion, request))
    }

    /// Deletes a version; its number is never used again and its history stays.
    public func deleteModelVersion(_ name: String, _ version: UInt64) async throws {
        var request = Linaje_V1_DeleteModelVersionRequest()
        request.name = name
        request.version = version
        _ = try await call(Methods.deleteModelVersion, request)
    }

    /// Moves a version to a stage.
    ///
    /// - Parameters:
    ///   - archiveExisting: moves the other versions of that stage to Archived; for Staging and
    ///     Production only.
    ///   - comment: why, for the history.
    public func transition(
        _ name: String, _ version: UInt64, to stage: Stage, archiveExisting: Bool = false,
        comment: String = ""
    ) async throws -> ModelVersion {
        var request = Linaje_V1_TransitionStageRequest()
        request.name = name
        request.version = version
        request.stage = stage.rawValue
        request.archiveExisting = archiveExisting
        request.comment = comment
        return try ModelVersion(await call(Methods.transitionStage, request))
    }

    /// Points an alias at a version; `conflict` when it is not where it was expected.
    public func setAlias(
        _ alias: String, of name: String, to version: UInt64, expecting: AliasExpectation = .any
    ) async throws {
        var request = Linaje_V1_SetAliasRequest()
        request.name = name
        request.alias = alias
        request.version = version
        switch expecting {
        case .any: break
        case .absent: request.expectedVersion = 0
        case .version(let expected): request.expectedVersion = expected
        }
        _ = try await call(Methods.setAlias, request)
    }

    /// Removes an alias; one that is not there is ignored.
    public func deleteAlias(_ alias: String, of name: String) async throws {
        var request = Linaje_V1_DeleteAliasRequest()
        request.name = name
        request.alias = alias
        _ = try await call(Methods.deleteAlias, request)
    }

    /// What a models:/ URI points at now.
    ///
    /// - Parameter toLook: whether nobody is about to load it. Otherwise a version whose verdict blocks
    ///   that is `failedPrecondition`.
    public func resolve(_ uri: ModelURI, toLook: Bool = false) async throws -> ResolvedModel {
        var request = Linaje_V1_ResolveModelRequest()
        request.uri = uri.description
        request.toLook = toLook
        switch try await call(Methods.resolveModel, request).target {
        case .version(let version): return .version(try ModelVersion(version))
        case .loggedModel(let model): return .loggedModel(try LoggedModel(model))
        case nil:
            throw LinajeError(
                .badMessage, "the daemon's answer for \(uri) is empty; update the client")
        }
    }
    /// Changes what verdicts block for a model. Versions that were promoted stay where they are.
    public func setScanPolicy(
        of name: String, _ changes: ScanPolicyChanges
    ) async throws -> RegisteredModel {
        let request = Linaje_V1_SetScanPolicyRequest(name, changes)
        return try RegisteredModel(await call(Methods.setScanPolicy, request))
    }

    /// Accepts the risk of a version, which lifts what its verdict blocks for this version alone.
    ///
    /// - Parameters:
    ///   - reason: why it may be used; with `withdraw`, why not any more.
    ///   - withdraw: takes an acceptance back; where the version was promoted to, it stays.
    ///   - expected: the tree that was looked at; of another one, which a model renamed or made anew can
    ///     have under that number, nothing is accepted (`conflict`).
    public func acceptRisk(
        of name: String, _ version: UInt64, reason: String, withdraw: Bool = false,
        expected: SHA256Digest? = nil
    ) async throws -> ModelVersion {
        var request = Linaje_V1_AcceptRiskRequest()
        request.name = name
        request.version = version
        request.reason = reason
        request.withdraw = withdraw
        if let expected { request.expectedTree = expected.data }
        return try ModelVersion(await call(Methods.acceptRisk, request))
    }
}
