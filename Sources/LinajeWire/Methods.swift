package import LinajeDomain
package import SwiftProtobuf

/// What flows on the stream of a method.
package enum MethodKind: Sendable, Hashable {
    case unary
    case clientStreaming
    case serverStreaming
    case both
}

/// A method of the protocol: number, name, kind, message types, role. PROTOCOL.md, "Methods", is the
/// same table; a test compares the two. A method cannot be written down without its role.
package struct Method<Request: Message & Sendable, Response: Message & Sendable>: Sendable {
    package let opcode: UInt16
    package let name: String
    package let kind: MethodKind
    /// Whether it changes something, so that a unary call of it needs an idempotency key.
    package let isMutation: Bool
    /// The least role that may call it, at every door; `nil` where it exists only on a plugin's
    /// standard input and output.
    package let role: Role?

    init(
        _ opcode: UInt16, _ name: String, _ kind: MethodKind = .unary, mutation: Bool = false,
        role: Role?
    ) {
        self.opcode = opcode
        self.name = name
        self.kind = kind
        isMutation = mutation
        self.role = role
    }
}

/// Every method there is.
package enum Methods {
    package static let getStatus = Method<Linaje_V1_GetStatusRequest, Linaje_V1_Status>(
        0x0101, "GetStatus", role: .reader)
    package static let getDaemonMetrics = Method<
        Linaje_V1_GetDaemonMetricsRequest, Linaje_V1_DaemonMetrics
    >(0x0102, "GetDaemonMetrics", role: .reader)
    package static let maintain = Method<Linaje_V1_MaintainRequest, Linaje_V1_MaintainOpened>(
        0x0103, "Maintain", .serverStreaming, role: .admin)
    package static let pauseCompaction = Method<
        Linaje_V1_PauseCompactionRequest, Linaje_V1_PauseCompactionResponse
    >(0x0104, "PauseCompaction", role: .admin)
    package static let listPlugins = Method<
        Linaje_V1_ListPluginsRequest, Linaje_V1_ListPluginsResponse
    >(0x0105, "ListPlugins", role: .reader)
    package static let setPlugin = Method<Linaje_V1_SetPluginRequest, Linaje_V1_PluginReport>(
        0x0106, "SetPlugin", mutation: true, role: .admin)

    package static let createExperiment = Method<
        Linaje_V1_CreateExperimentRequest, Linaje_V1_Experiment
    >(0x0201, "CreateExperiment", mutation: true, role: .writer)
    package static let getExperiment = Method<
        Linaje_V1_GetExperimentRequest, Linaje_V1_Experiment
    >(0x0202, "GetExperiment", role: .reader)
    package static let searchExperiments = Method<
        Linaje_V1_SearchExperimentsRequest, Linaje_V1_SearchExperimentsResponse
    >(0x0203, "SearchExperiments", role: .reader)
    package static let updateExperiment = Method<
        Linaje_V1_UpdateExperimentRequest, Linaje_V1_Experiment
    >(0x0204, "UpdateExperiment", mutation: true, role: .writer)

    package static let createRun = Method<Linaje_V1_CreateRunRequest, Linaje_V1_Run>(
        0x0301, "CreateRun", mutation: true, role: .writer)
    package static let getRun = Method<Linaje_V1_GetRunRequest, Linaje_V1_Run>(
        0x0302, "GetRun", role: .reader)
    package static let searchRuns = Method<
        Linaje_V1_SearchRunsRequest, Linaje_V1_SearchRunsResponse
    >(0x0303, "SearchRuns", role: .reader)
    package static let updateRun = Method<Linaje_V1_UpdateRunRequest, Linaje_V1_Run>(
        0x0304, "UpdateRun", mutation: true, role: .writer)
    package static let logRun = Method<Linaje_V1_LogRunRequest, Linaje_V1_Done>(
        0x0305, "LogRun", mutation: true, role: .writer)
    package static let attachRun = Method<Linaje_V1_AttachRunRequest, Linaje_V1_Run>(
        0x0306, "AttachRun", mutation: true, role: .writer)
    package static let heartbeat = Method<Linaje_V1_HeartbeatRequest, Linaje_V1_Done>(
        0x0307, "Heartbeat", role: .writer)
    package static let searchDatasets = Method<
        Linaje_V1_SearchDatasetsRequest, Linaje_V1_SearchDatasetsResponse
    >(0x0308, "SearchDatasets", role: .reader)

    package static let purgeRuns = Method<Linaje_V1_PurgeRunsRequest, Linaje_V1_PurgeRunsOpened>(
        0x0309, "PurgeRuns", .serverStreaming, role: .admin)

    package static let appendRunLog = Method<
        Linaje_V1_AppendRunLogRequest, Linaje_V1_AppendRunLogResponse
    >(0x0310, "AppendRunLog", role: .writer)
    package static let readRunLog = Method<Linaje_V1_ReadRunLogRequest, Linaje_V1_RunLogOpened>(
        0x0311, "ReadRunLog", .serverStreaming, role: .reader)
    package static let searchRunLog = Method<
        Linaje_V1_SearchRunLogRequest, Linaje_V1_RunLogOpened
    >(0x0312, "SearchRunLog", .serverStreaming, role: .reader)

    package static let streamMetrics = Method<
        Linaje_V1_StreamMetricsRequest, Linaje_V1_MetricStreamOpened
    >(0x0401, "StreamMetrics", .both, role: .writer)
    package static let getMetricHistory = Method<
        Linaje_V1_GetMetricHistoryRequest, Linaje_V1_MetricHistoryOpened
    >(0x0402, "GetMetricHistory", .serverStreaming, role: .reader)
    package static let tailMetrics = Method<
        Linaje_V1_TailMetricsRequest, Linaje_V1_MetricHistoryOpened
    >(0x0403, "TailMetrics", .serverStreaming, role: .reader)
    package static let getMetricSummaries = Method<
        Linaje_V1_GetMetricSummariesRequest, Linaje_V1_GetMetricSummariesResponse
    >(0x0404, "GetMetricSummaries", role: .reader)
    package static let getMetricBuckets = Method<
        Linaje_V1_GetMetricBucketsRequest, Linaje_V1_MetricBucketsOpened
    >(0x0405, "GetMetricBuckets", .serverStreaming, role: .reader)

    package static let beginIngest = Method<
        Linaje_V1_BeginIngestRequest, Linaje_V1_BeginIngestResponse
    >(0x0501, "BeginIngest", mutation: true, role: .writer)
    package static let putFile = Method<Linaje_V1_PutFileRequest, Linaje_V1_PutFileResponse>(
        0x0502, "PutFile", .clientStreaming, role: .writer)
    package static let commitIngest = Method<Linaje_V1_CommitIngestRequest, Linaje_V1_Tree>(
        0x0503, "CommitIngest", mutation: true, role: .writer)
    package static let abortIngest = Method<Linaje_V1_AbortIngestRequest, Linaje_V1_Done>(
        0x0504, "AbortIngest", mutation: true, role: .writer)
    package static let listArtifacts = Method<
        Linaje_V1_ListArtifactsRequest, Linaje_V1_ListArtifactsResponse
    >(0x0505, "ListArtifacts", role: .reader)
    package static let readTree = Method<Linaje_V1_ReadTreeRequest, Linaje_V1_ReadTreeOpened>(
        0x0508, "ReadTree", .serverStreaming, role: .reader)
    package static let readFiles = Method<Linaje_V1_ReadFilesRequest, Linaje_V1_ReadFilesOpened>(
        0x0509, "ReadFiles", .serverStreaming, role: .reader)
    package static let readArtifact = Method<
        Linaje_V1_ReadArtifactRequest, Linaje_V1_ReadArtifactOpened
    >(0x0506, "ReadArtifact", .serverStreaming, role: .reader)
    package static let putFiles = Method<Linaje_V1_PutFilesRequest, Linaje_V1_PutFilesResponse>(
        0x0507, "PutFiles", .clientStreaming, role: .writer)
    package static let collectGarbage = Method<
        Linaje_V1_CollectGarbageRequest, Linaje_V1_CollectGarbageOpened
    >(0x0511, "CollectGarbage", .serverStreaming, role: .admin)
    package static let holdContent = Method<Linaje_V1_HoldContentRequest, Linaje_V1_Hold>(
        0x0512, "HoldContent", mutation: true, role: .admin)
    package static let listHolds = Method<
        Linaje_V1_ListHoldsRequest, Linaje_V1_ListHoldsResponse
    >(0x0513, "ListHolds", role: .reader)
    package static let checkStore = Method<
        Linaje_V1_CheckStoreRequest, Linaje_V1_CheckStoreOpened
    >(0x0514, "CheckStore", .serverStreaming, role: .admin)

    package static let addRemote = Method<Linaje_V1_AddRemoteRequest, Linaje_V1_Done>(
        0x0520, "AddRemote", mutation: true, role: .admin)
    package static let removeRemote = Method<Linaje_V1_RemoveRemoteRequest, Linaje_V1_Done>(
        0x0521, "RemoveRemote", mutation: true, role: .admin)
    package static let listRemotes = Method<
        Linaje_V1_ListRemotesRequest, Linaje_V1_ListRemotesResponse
    >(0x0522, "ListRemotes", role: .reader)
    package static let exchangeWithRemote = Method<
        Linaje_V1_ExchangeWithRemoteRequest, Linaje_V1_ExchangeWithRemoteOpened
    >(0x0523, "ExchangeWithRemote", .serverStreaming, role: .writer)
    package static let openBackup = Method<Linaje_V1_OpenBackupRequest, Linaje_V1_BackupOpened>(
        0x0530, "OpenBackup", .serverStreaming, role: .admin)
    package static let readBackupFile = Method<
        Linaje_V1_ReadBackupFileRequest, Linaje_V1_ReadBackupFileOpened
    >(0x0531, "ReadBackupFile", .serverStreaming, role: .admin)
    package static let importObjects = Method<
        Linaje_V1_ImportObjectsRequest, Linaje_V1_ImportObjectsResponse
    >(0x0532, "ImportObjects", .clientStreaming, role: .writer)

    package static let setRetention = Method<
        Linaje_V1_SetRetentionRequest, Linaje_V1_RetentionPolicy
    >(0x0540, "SetRetention", mutation: true, role: .admin)
    package static let removeRetention = Method<
        Linaje_V1_RemoveRetentionRequest, Linaje_V1_Done
    >(0x0541, "RemoveRetention", mutation: true, role: .admin)
    package static let listRetention = Method<
        Linaje_V1_ListRetentionRequest, Linaje_V1_ListRetentionResponse
    >(0x0542, "ListRetention", role: .reader)
    package static let planRetention = Method<
        Linaje_V1_PlanRetentionRequest, Linaje_V1_PlanRetentionOpened
    >(0x0543, "PlanRetention", .serverStreaming, role: .reader)
    package static let applyRetention = Method<
        Linaje_V1_ApplyRetentionRequest, Linaje_V1_ApplyRetentionOpened
    >(0x0544, "ApplyRetention", .serverStreaming, role: .admin)

    package static let createRegisteredModel = Method<
        Linaje_V1_CreateRegisteredModelRequest, Linaje_V1_RegisteredModel
    >(0x0601, "CreateRegisteredModel", mutation: true, role: .writer)
    package static let getRegisteredModel = Method<
        Linaje_V1_GetRegisteredModelRequest, Linaje_V1_RegisteredModel
    >(0x0602, "GetRegisteredModel", role: .reader)
    package static let searchRegisteredModels = Method<
        Linaje_V1_SearchRegisteredModelsRequest, Linaje_V1_SearchRegisteredModelsResponse
    >(0x0603, "SearchRegisteredModels", role: .reader)
    package static let updateRegisteredModel = Method<
        Linaje_V1_UpdateRegisteredModelRequest, Linaje_V1_RegisteredModel
    >(0x0604, "UpdateRegisteredModel", mutation: true, role: .writer)
    package static let deleteRegisteredModel = Method<
        Linaje_V1_DeleteRegisteredModelRequest, Linaje_V1_Done
    >(0x0605, "DeleteRegisteredModel", mutation: true, role: .admin)
    package static let createModelVersion = Method<
        Linaje_V1_CreateModelVersionRequest, Linaje_V1_ModelVersion
    >(0x0606, "CreateModelVersion", mutation: true, role: .writer)
    package static let getModelVersion = Method<
        Linaje_V1_GetModelVersionRequest, Linaje_V1_ModelVersion
    >(0x0607, "GetModelVersion", role: .reader)
    package static let searchModelVersions = Method<
        Linaje_V1_SearchModelVersionsRequest, Linaje_V1_SearchModelVersionsResponse
    >(0x0608, "SearchModelVersions", role: .reader)
    package static let updateModelVersion = Method<
        Linaje_V1_UpdateModelVersionRequest, Linaje_V1_ModelVersion
    >(0x0609, "UpdateModelVersion", mutation: true, role: .writer)
    package static let deleteModelVersion = Method<
        Linaje_V1_DeleteModelVersionRequest, Linaje_V1_Done
    >(0x060A, "DeleteModelVersion", mutation: true, role: .admin)
    package static let transitionStage = Method<
        Linaje_V1_TransitionStageRequest, Linaje_V1_ModelVersion
    >(0x060B, "TransitionStage", mutation: true, role: .writer)
    package static let setAlias = Method<Linaje_V1_SetAliasRequest, Linaje_V1_Done>(
        0x060C, "SetAlias", mutation: true, role: .writer)
    package static let deleteAlias = Method<Linaje_V1_DeleteAliasRequest, Linaje_V1_Done>(
        0x060D, "DeleteAlias", mutation: true, role: .writer)
    package static let resolveModel = Method<
        Linaje_V1_ResolveModelRequest, Linaje_V1_ResolveModelResponse
    >(0x060E, "ResolveModel", role: .reader)
    package static let setScanPolicy = Method<
        Linaje_V1_SetScanPolicyRequest, Linaje_V1_RegisteredModel
    >(0x060F, "SetScanPolicy", mutation: true, role: .approver)
    package static let acceptRisk = Method<Linaje_V1_AcceptRiskRequest, Linaje_V1_ModelVersion>(
        0x0610, "AcceptRisk", mutation: true, role: .approver)

    package static let createLoggedModel = Method<
        Linaje_V1_CreateLoggedModelRequest, Linaje_V1_LoggedModel
    >(0x0701, "CreateLoggedModel", mutation: true, role: .writer)
    package static let getLoggedModel = Method<
        Linaje_V1_GetLoggedModelRequest, Linaje_V1_LoggedModel
    >(0x0702, "GetLoggedModel", role: .reader)
    package static let searchLoggedModels = Method<
        Linaje_V1_SearchLoggedModelsRequest, Linaje_V1_SearchLoggedModelsResponse
    >(0x0703, "SearchLoggedModels", role: .reader)
    package static let updateLoggedModel = Method<
        Linaje_V1_UpdateLoggedModelRequest, Linaje_V1_LoggedModel
    >(0x0704, "UpdateLoggedModel", mutation: true, role: .writer)
    package static let deleteLoggedModel = Method<
        Linaje_V1_DeleteLoggedModelRequest, Linaje_V1_Done
    >(0x0705, "DeleteLoggedModel", mutation: true, role: .admin)

    package static let getLineage = Method<Linaje_V1_GetLineageRequest, Linaje_V1_LineageGraph>(
        0x0801, "GetLineage", role: .reader)
    package static let listEvents = Method<
        Linaje_V1_ListEventsRequest, Linaje_V1_ListEventsResponse
    >(0x0901, "ListEvents", role: .reader)
    package static let verifyLedger = Method<
        Linaje_V1_VerifyLedgerRequest, Linaje_V1_VerifyLedgerResponse
    >(0x0902, "VerifyLedger", role: .reader)

    // On a plugin's standard input and output only.
    package static let describePlugin = Method<
        Linaje_V1_DescribePluginRequest, Linaje_V1_PluginDescriptor
    >(0x0B01, "DescribePlugin", role: nil)
    package static let describeModel = Method<
        Linaje_V1_DescribeModelRequest, Linaje_V1_DescribeModelResponse
    >(0x0B02, "DescribeModel", role: nil)
    package static let openScorer = Method<
        Linaje_V1_OpenScorerRequest, Linaje_V1_OpenScorerResponse
    >(0x0B03, "OpenScorer", role: nil)
    package static let score = Method<Linaje_V1_ScoreRequest, Linaje_V1_ScoreResponse>(
        0x0B04, "Score", role: nil)
    package static let closeScorer = Method<
        Linaje_V1_CloseScorerRequest, Linaje_V1_CloseScorerResponse
    >(0x0B05, "CloseScorer", role: nil)
    package static let openBackend = Method<
        Linaje_V1_OpenBackendRequest, Linaje_V1_Done
    >(0x0B21, "OpenBackend", role: nil)
    package static let putObject = Method<
        Linaje_V1_PutObjectRequest, Linaje_V1_Done
    >(0x0B22, "PutObject", role: nil)
    package static let appendObject = Method<
        Linaje_V1_AppendObjectRequest, Linaje_V1_Done
    >(0x0B23, "AppendObject", role: nil)
    package static let commitObject = Method<
        Linaje_V1_CommitObjectRequest, Linaje_V1_Done
    >(0x0B24, "CommitObject", role: nil)
    package static let abortObject = Method<
        Linaje_V1_AbortObjectRequest, Linaje_V1_Done
    >(0x0B25, "AbortObject", role: nil)
    package static let getObject = Method<
        Linaje_V1_GetObjectRequest, Linaje_V1_GetObjectResponse
    >(0x0B26, "GetObject", role: nil)
    package static let statObject = Method<
        Linaje_V1_StatObjectRequest, Linaje_V1_StatObjectResponse
    >(0x0B27, "StatObject", role: nil)
    package static let listObjects = Method<
        Linaje_V1_ListObjectsRequest, Linaje_V1_ListObjectsResponse
    >(0x0B28, "ListObjects", role: nil)
    package static let removeObject = Method<
        Linaje_V1_RemoveObjectRequest, Linaje_V1_Done
    >(0x0B29, "RemoveObject", role: nil)
    package static let listSource = Method<
        Linaje_V1_ListSourceRequest, Linaje_V1_ListSourceResponse
    >(0x0B81, "ListSource", role: nil)
    package static let readSource = Method<
        Linaje_V1_ReadSourceRequest, Linaje_V1_ReadSourceResponse
    >(0x0B82, "ReadSource", role: nil)
}
