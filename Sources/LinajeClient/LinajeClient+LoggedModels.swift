public import LinajeDomain
import LinajeWire

/// A logged model to be created.
public struct NewLoggedModel: Sendable {
    /// Chosen by the caller, so that a model has an id before the daemon was reached.
    public var id: LoggedModelID
    public var experimentID: ExperimentID
    public var runID: RunID?
    public var name: String
    /// Its kind, in the caller's words.
    public var modelType = ""
    public var tags: [Tag] = []
    public var params: [Param] = []
    /// The digest of its tree if that is committed already: the model is READY at once.
    public var tree: SHA256Digest?
    /// The training step it was made at.
    public var step: Int64 = 0

    public init(id: LoggedModelID = .timeOrdered(), experimentID: ExperimentID, name: String) {
        self.id = id
        self.experimentID = experimentID
        self.name = name
    }
}

extension LinajeClient {
    /// Creates a logged model, PENDING unless its tree is given.
    public func createLoggedModel(_ model: NewLoggedModel) async throws -> LoggedModel {
        var request = Linaje_V1_CreateLoggedModelRequest()
        request.id = model.id.data
        request.experimentID = model.experimentID
        if let run = model.runID { request.runID = run.data }
        request.name = model.name
        request.modelType = model.modelType
        request.tags = model.tags.map(Linaje_V1_Tag.init)
        request.params = model.params.map(Linaje_V1_Param.init)
        if let tree = model.tree { request.tree = tree.data }
        request.step = model.step
        return try LoggedModel(await call(Methods.createLoggedModel, request))
    }

    /// The logged model of this id.
    public func loggedModel(_ id: LoggedModelID) async throws -> LoggedModel {
        var request = Linaje_V1_GetLoggedModelRequest()
        request.id = id.data
        return try LoggedModel(await call(Methods.getLoggedModel, request))
    }

    /// Lists logged models, newest first. Empty conditions mean any.
    public func loggedModels(
        experiments: [ExperimentID] = [], run: RunID? = nil, search: SearchTerms = SearchTerms(),
        page: Page? = nil
    ) async throws -> Paged<LoggedModel> {
        var request = Linaje_V1_SearchLoggedModelsRequest()
        request.search = Linaje_V1_Search(search)
        request.experimentIds = experiments
        if let run { request.runID = run.data }
        if let page { request.page = Linaje_V1_Page(page) }
        let response = try await call(Methods.searchLoggedModels, request)
        return Paged(
            try response.models.map { try LoggedModel($0) },
            nextPageToken: response.nextPageToken,
            facts: SearchFacts(response.facts))
    }

    /// Changes a logged model; what is `nil` stays. READY needs a tree; a tree cannot be changed
    /// once it is set.
    public func updateLoggedModel(
        _ id: LoggedModelID, status: LoggedModelStatus? = nil, statusMessage: String? = nil,
        tree: SHA256Digest? = nil, tags: TagChanges = TagChanges(), params: [Param] = []
    ) async throws -> LoggedModel {
        var request = Linaje_V1_UpdateLoggedModelRequest()
        request.id = id.data
        if let status { request.status = Linaje_V1_LoggedModelStatus(status) }
        if let statusMessage { request.statusMessage = statusMessage }
        if let tree { request.tree = tree.data }
        if !tags.isEmpty { request.tags = Linaje_V1_TagChanges(tags) }
        request.params = params.map(Linaje_V1_Param.init)
        return try LoggedModel(await call(Methods.updateLoggedModel, request))
    }

    /// Deletes a logged model that no version was registered from.
    public func deleteLoggedModel(_ id: LoggedModelID) async throws {
        var request = Linaje_V1_DeleteLoggedModelRequest()
        request.id = id.data
        _ = try await call(Methods.deleteLoggedModel, request)
    }
}
