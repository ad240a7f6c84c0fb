import LinajeDomain
import LinajeWire
import SwiftProtobuf
import Testing

/// A value of each kind that travels, with every field set, and how it travels.
struct MappingSample: Sendable, CustomTestStringConvertible {
    let name: String
    /// The bytes of the value's message.
    let bytes: @Sendable () throws -> [UInt8]
    /// Reads a message and makes a value of it; what does not fit throws.
    let decode: @Sendable ([UInt8]) throws -> Void
    /// Whether the value is the same after a travel.
    let survives: @Sendable () throws -> Bool

    var testDescription: String { name }

    init<Value: Equatable & Sendable, M: Message>(
        _ value: Value, _ encode: @escaping @Sendable (Value) -> M,
        _ decode: @escaping @Sendable (M) throws -> Value
    ) {
        name = M.protoMessageName
        bytes = { try encode(value).payload() }
        self.decode = { _ = try decode(M(serializedBytes: $0)) }
        survives = { try decode(M(serializedBytes: encode(value).payload())) == value }
    }
}

enum MappingSamples {
    static let all: [MappingSample] = common + tracking + metrics + registry + history

    private static let run = RunID(bytes: Bytes16(high: 1, low: .max))
    private static let logged = LoggedModelID(bytes: Bytes16(high: 7, low: 9))
    private static let time = Timestamp(microseconds: -5)
    private static let later = Timestamp(microseconds: 1_700_000_000_000_000)
    private static var digest: SHA256Digest {
        guard let digest = SHA256Digest((0..<32).map { UInt8($0) }) else {
            preconditionFailure("32 bytes are a digest")
        }
        return digest
    }
    private static let tags = [Tag(key: "k", value: ""), Tag(key: "ключ", value: "v\u{1F600}")]
    private static let params = [
        Param(key: "s", value: .string("")), Param(key: "i", value: .int(.min)),
        Param(key: "d", value: .double(.nan)), Param(key: "inf", value: .double(-.infinity)),
        Param(key: "b", value: .bool(false)),
    ]
    private static let series = MetricSeries(
        key: "loss", modelID: logged, datasetName: "iris", datasetDigest: "abc")

    private static var common: [MappingSample] {
        var samples = tags.map { MappingSample($0, Linaje_V1_Tag.init) { try Tag($0) } }
        samples += params.map { MappingSample($0, Linaje_V1_Param.init) { try Param($0) } }
        samples.append(
            MappingSample(TagChanges(set: tags, remove: ["x"]), Linaje_V1_TagChanges.init) {
                try TagChanges($0)
            })
        if let page = try? Page(limit: 1_000, token: "t"),
            let md5 = try? ContentDigest(
                algorithm: "md5", value: [UInt8](repeating: 3, count: 16))
        {
            samples.append(MappingSample(page, Linaje_V1_Page.init) { try Page($0) })
            samples.append(MappingSample(md5, Linaje_V1_Digest.init) { try ContentDigest($0) })
        }
        return samples
    }

    private static var input: DatasetInput {
        let digests = ["sha256": 32, "md5": 16].compactMap { algorithm, count in
            try? ContentDigest(algorithm: algorithm, value: [UInt8](repeating: 1, count: count))
        }
        return DatasetInput(
            name: "iris", digests: digests, clientDigest: "c", sourceType: "file", source: "/d",
            schema: "{}", profile: "[]", context: "training", dvcPointer: "outs:", size: .max,
            tags: tags)
    }

    private static var provenance: Provenance {
        var made = Provenance()
        made.git = GitState(
            commit: "c", branch: "b", remote: "r", isDirty: true, diffArtifact: "d")
        made.entryPoint = "train.py"
        made.argv = ["a", ""]
        made.notebook = "n"
        made.notebookCells = ["1", "2"]
        made.language = "l"
        made.packages = ["p": "1"]
        made.os = "o"
        made.kernel = "k"
        made.cpu = "c"
        made.memoryBytes = .max
        made.gpus = ["g"]
        made.host = "h"
        made.user = "u"
        made.environment = ["E": "v"]
        made.container = "x"
        made.purpose = "y"
        var job = SchedulerJob(scheduler: "slurm")
        job.jobID = "1"
        job.jobName = "2"
        job.arrayID = "3"
        job.arrayTask = "4"
        job.step = "5"
        job.rank = "6"
        job.node = "7"
        job.nodes = "8"
        job.cluster = "9"
        job.queue = "10"
        made.job = job
        made.containerIdentity = ContainerIdentity(runtime: "docker", name: "n", image: "i")
        return made
    }

    private static var ends: [ProcessEnd] {
        var full = ProcessEnd(waitStatus: 9 | 0x80, source: .parent)
        full.memoryLimit = .max
        full.peakMemory = 1
        full.durationMicroseconds = 2
        full.userMicroseconds = 3
        full.systemMicroseconds = 0
        full.lastErrors = ["", "line"]
        let reasons = ProcessEnd.Reason.allCases.map { ProcessEnd(reason: $0, source: .kernel) }
        return [full, ProcessEnd(waitStatus: 3 << 8, source: .nobody)] + reasons
    }

    private static var tracking: [MappingSample] {
        let link = ModelLink(loggedModelID: logged, uri: "models:/a/1", step: -3, role: "model")
        let experiment = Experiment(
            id: .max, name: "e", lifecycle: .deleted, createdAt: time, updatedAt: later, tags: tags)
        var samples = [
            MappingSample(experiment, Linaje_V1_Experiment.init) { try Experiment($0) },
            MappingSample(input, Linaje_V1_DatasetInput.init) { try DatasetInput($0) },
            MappingSample(link, Linaje_V1_ModelLink.init) { try ModelLink($0) },
            MappingSample(provenance, Linaje_V1_Provenance.init) { Provenance($0) },
        ]
        samples += ends.map { MappingSample($0, Linaje_V1_ProcessEnd.init) { try ProcessEnd($0) } }
        let leases: [Lease] = [
            .detached, .process(pid: 77, start: 9_001, boot: "b-1", supervises: true),
            .heartbeat(timeout: .seconds(5)),
        ]
        for (lease, status) in zip(leases + leases, RunStatus.allCases) {
            let run = Run(
                id: run, experimentID: -1, name: "n", status: status, lifecycle: .deleted,
                user: "u", principal: "uid:0", parentID: run, startedAt: time, endedAt: later,
                endedCause: "c", params: params, tags: tags,
                metrics: [RunMetric(key: "loss", value: -0.5, step: -1, time: 9)],
                datasets: [input], modelInputs: [link], modelOutputs: [link, link],
                provenance: provenance, lease: lease, ownerHeardAt: later, processEnd: ends.first)
            samples.append(MappingSample(run, Linaje_V1_Run.init) { try Run($0) })
            samples.append(MappingSample(lease, Linaje_V1_Lease.init) { try Lease($0) })
        }
        let bare = Run(id: run, experimentID: 0, name: "", startedAt: later)
        samples.append(MappingSample(bare, Linaje_V1_Run.init) { try Run($0) })
        return samples
    }

    /// What a batch is, for comparing: NaN equals NaN.
    private struct BatchFacts: Equatable {
        var sequence: UInt64
        var series: [MetricSeries]
        var index: [UInt32]
        var steps: [Int64]
        var times: [Int64]
        var bits: [UInt64]

        init(_ batch: MetricBatch) {
            sequence = batch.sequence
            series = batch.series
            index = batch.seriesIndex
            steps = batch.columns.steps
            times = batch.columns.times
            bits = batch.columns.values.map(\.bitPattern)
        }
    }

    private static var metrics: [MappingSample] {
        let columns = MetricColumns(
            steps: [.min, 0, .max], times: [-1, 0, 1], values: [.nan, -0.0, .infinity])
        let first = MetricPoint(step: .min, time: -1, value: 0.1)
        let summary = MetricSummary(
            series: series, count: 9, nanCount: 2, min: -1, max: 1, first: first, last: first)
        let empty = MetricSummary(
            series: MetricSeries(key: "k"), count: 1, nanCount: 1, min: nil, max: nil,
            first: first, last: first)
        let query = MetricQuery(keys: ["a", "b"], steps: -5...5, times: .min ... .max, limit: 9)
        var samples = [
            MappingSample(series, Linaje_V1_Series.init) { try MetricSeries($0) },
            MappingSample(summary, Linaje_V1_MetricSummary.init) { try MetricSummary($0) },
            MappingSample(empty, Linaje_V1_MetricSummary.init) { try MetricSummary($0) },
            MappingSample(first, Linaje_V1_MetricPoint.init) { MetricPoint($0) },
            MappingSample(
                query, { Linaje_V1_GetMetricHistoryRequest($0, run: run) }, { try MetricQuery($0) }),
            MappingSample(
                columns.values.map(\.bitPattern),
                { _ in Linaje_V1_MetricPoints(columns, of: series, missed: 4) },
                { try MetricColumns($0).values.map(\.bitPattern) }),
        ]
        for index: [UInt32] in [[], [1, 0, 1]] {
            let all = index.isEmpty ? [series] : [series, MetricSeries(key: "other")]
            guard
                let batch = try? MetricBatch(
                    sequence: UInt64(Int64.max), series: all, seriesIndex: index, columns: columns)
            else { continue }
            samples.append(
                MappingSample(
                    BatchFacts(batch), { _ in Linaje_V1_MetricBatch(batch) },
                    { BatchFacts(try MetricBatch($0)) }))
        }
        return samples
    }

    private static var model: ModelDescription {
        ModelDescription(
            flavors: [FlavorDescription(name: "f", version: "1", facts: ["a": "b"])],
            signature: "{}", requirements: ["x==1"],
            tensors: [TensorDescription(name: "t", dtype: "F32", shape: [0, .max])],
            parameters: 7,
            findings: [Finding(severity: .danger, path: "p", message: "m")],
            files: ModelFileRole.allCases.map { ModelFileDescription(path: "\($0)", role: $0) },
            memoryBytes: .max, license: "l", card: ["c": "d"], verdict: .dangerous)
    }

    private static var version: ModelVersion {
        ModelVersion(
            name: "m", version: .max, tree: digest, size: .max, source: "s", runID: run,
            loggedModelID: logged, stage: .production, description: "d", createdAt: time,
            updatedAt: later, tags: tags, aliases: ["a"], model: model, principal: "uid:1",
            acceptance: RiskAcceptance(
                verdict: .dangerous, reason: "r", principal: "uid:2", at: later),
            blocked: BlockedUses([.registration, .loading]))
    }

    private static var registry: [MappingSample] {
        let registered = RegisteredModel(
            name: "m", description: "d", createdAt: time, updatedAt: later, tags: tags,
            aliases: ["a": 1, "b": .max], latestVersions: [version],
            scanPolicy: ScanPolicy([
                .none: .nothing, .unknown: BlockedUses([.promotion]),
                .dangerous: BlockedUses([.loading]),
            ]), effectivePolicy: .standard)
        let bare = ModelVersion(
            name: "m", version: 1, tree: digest, size: 0, source: "", createdAt: time,
            updatedAt: time)
        let pending = LoggedModel(
            id: logged, experimentID: 0, name: "l", createdAt: time, updatedAt: time)
        let ready = LoggedModel(
            id: logged, experimentID: 3, runID: run, name: "l", status: .ready,
            statusMessage: "s", modelType: "t", tree: digest, size: 9, step: -1, createdAt: time,
            updatedAt: later, tags: tags, params: params, model: model,
            registrations: [VersionName(name: "m", version: 2)])
        return [
            MappingSample(registered, Linaje_V1_RegisteredModel.init) { try RegisteredModel($0) },
            MappingSample(version, Linaje_V1_ModelVersion.init) { try ModelVersion($0) },
            MappingSample(bare, Linaje_V1_ModelVersion.init) { try ModelVersion($0) },
            MappingSample(pending, Linaje_V1_LoggedModel.init) { try LoggedModel($0) },
            MappingSample(ready, Linaje_V1_LoggedModel.init) { try LoggedModel($0) },
            MappingSample(model, Linaje_V1_ModelDescription.init) { try ModelDescription($0) },
        ]
    }

    private static var history: [MappingSample] {
        var graph = LineageGraph(root: "models:/m/1")
        graph.add(
            LineageNode(id: "models:/m/1", kind: .modelVersion, label: "m", facts: ["a": "b"]))
        graph.add(LineageNode(id: "runs:/x", kind: .run, label: ""))
        graph.connect("models:/m/1", to: "runs:/x", as: .producedBy)
        let event = LedgerEvent(
            sequence: 1, canonical: [1, 2], previousHash: digest, hash: digest)
        let checked = LedgerVerification(events: 3, firstBad: 2, finding: "f", head: digest)
        var samples = [
            MappingSample(graph, Linaje_V1_LineageGraph.init) { try LineageGraph($0) },
            MappingSample(event, Linaje_V1_Event.init) { try LedgerEvent($0) },
            MappingSample(checked, Linaje_V1_VerifyLedgerResponse.init) {
                try LedgerVerification($0)
            },
        ]
        if let path = try? TreePath("a/b") {
            for mode in [FileMode.file, .executable, .link] {
                let entry = TreeEntry(path: path, mode: mode, size: .max, sha256: digest)
                samples.append(
                    MappingSample(entry, Linaje_V1_FileEntry.init) { try TreeEntry($0) })
            }
        }
        return samples
    }
}
