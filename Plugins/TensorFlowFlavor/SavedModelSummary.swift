import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// What a SavedModel says of itself.
struct SavedModelSummary {
    /// Operations that run Python, read or write files, or run graphs that are hidden in data.
    static let dangerous: [String: String] = [
        "PyFunc": "runs Python", "PyFuncStateless": "runs Python", "EagerPyFunc": "runs Python",
        "ReadFile": "reads any file", "WriteFile": "writes any file",
        "MatchingFiles": "lists files", "DatasetFromGraph": "runs a graph that is hidden in data",
        "DebugIdentity": "writes what it sees to any place",
        "DebugIdentityV2": "writes what it sees to any place",
        "DebugIdentityV3": "writes what it sees to any place",
        "DebugNanCount": "writes what it sees to any place",
        "DebugNumericSummary": "writes what it sees to any place",
        "SaveDataset": "writes any file", "SaveDatasetV2": "writes any file",
        "LoadDataset": "reads any file", "DatasetToTFRecord": "writes any file",
        "SnapshotDataset": "writes any file", "SnapshotDatasetV2": "writes any file",
    ]
    /// Operations that touch files in models which were made for it.
    static let suspicious: [String: String] = [
        "PrintV2": "can write to a file", "WholeFileReader": "reads files",
        "WholeFileReaderV2": "reads files", "TextLineDataset": "reads files",
        "TFRecordDataset": "reads files", "TFRecordDatasetV2": "reads files",
        "FixedLengthRecordDataset": "reads files", "TextLineReader": "reads files",
        "CreateSummaryFileWriter": "writes files", "CacheDataset": "writes files",
        "CacheDatasetV2": "writes files",
    ]

    private let model: SavedModel
    private let file: ModelSourceFile
    private let folder: String
    private var tensors: [TensorDescription] = []
    private var parameters: UInt64 = 0
    private var memoryBytes: UInt64 = 0
    private var findings: [Finding] = []
    private var roles: [ModelFileDescription]
    private var verdict: ScanVerdict = .safe

    init(_ model: SavedModel, file: ModelSourceFile, files: [ModelSourceFile]) {
        self.model = model
        self.file = file
        folder = file.path.lastIndex(of: "/").map { String(file.path[...$0]) } ?? ""
        roles = [ModelFileDescription(path: file.path, role: .config)]
        for other in files where other.path.hasPrefix("\(folder)variables/") {
            let role: ModelFileRole = other.path.hasSuffix(".index") ? .index : .weights
            roles.append(ModelFileDescription(path: other.path, role: role))
        }
        checkOperations()
        checkAssets(files)
    }

    /// The index of the variables, when there is one.
    func variablesIndex(in files: [ModelSourceFile]) -> ModelSourceFile? {
        files.first { $0.path == "\(folder)variables/variables.index" }
    }

    /// Takes in the variables.
    mutating func add(_ variables: [VariablesIndex.Entry], of path: String) {
        // Keras exports each variable a second time under this name.
        let copies = "_all_variables/"
        let hasOthers = variables.contains { $0.name.hasPrefix("variables/") }
        for entry in variables where !(hasOthers && entry.name.hasPrefix(copies)) {
            guard let type = TensorFlowType(number: entry.type), type.bytes > 0 else { continue }
            var elements: UInt64 = 1
            for length in entry.shape {
                let (product, overflow) = elements.multipliedReportingOverflow(by: length)
                elements = overflow ? .max : product
            }
            parameters = Self.sum(parameters, elements)
            memoryBytes = Self.sum(memoryBytes, entry.bytes)
            if tensors.count < ModelDescription.Bounds.tensors {
                tensors.append(
                    TensorDescription(name: entry.name, dtype: type.name, shape: entry.shape))
            }
        }
    }

    mutating func note(_ severity: Finding.Severity, _ path: String, _ message: String) {
        guard findings.count < ModelDescription.Bounds.findings else { return }
        findings.append(Finding(severity: severity, path: path, message: message))
    }

    /// The whole.
    var description: ModelDescription {
        var facts: [String: String] = [:]
        facts["schema_version"] = String(model.schemaVersion)
        facts["tags"] = model.tags.sorted().joined(separator: ",")
        facts["nodes"] = String(model.nodes)
        facts["functions"] = String(model.functions)
        facts["operations"] = String(model.operations.count)
        let operations = model.operations.sorted { $0.key < $1.key }.prefix(200)
        facts["operation_counts"] = operations.map { "\($0.key):\($0.value)" }
            .joined(separator: ",")
        let signatures = model.signatures.sorted { $0.name < $1.name }
        facts["signatures"] = signatures.prefix(100).map(\.name).joined(separator: ",")
        facts["assets"] = model.assets.prefix(100).joined(separator: ",")
        return ModelDescription(
            flavors: [
                FlavorDescription(
                    name: "tensorflow", version: model.tensorflowVersion,
                    facts: facts.filter { !$0.value.isEmpty && $0.value.utf8.count <= 8_192 })
            ],
            signature: signature, tensors: tensors, parameters: parameters, findings: findings,
            files: roles, memoryBytes: memoryBytes, verdict: verdict)
    }

    // MARK: Signature

    /// The signature that serving uses, in MLflow's form.
    private var signature: String {
        let chosen =
            model.signatures.first { $0.name == "serving_default" }
            ?? model.signatures.sorted { $0.name < $1.name }
            .first { $0.name != "__saved_model_init_op" }
        guard let chosen else { return "" }
        let inputs = chosen.inputs.compactMap(Self.tensor).sorted { $0.name < $1.name }
        let outputs = chosen.outputs.compactMap(Self.tensor).sorted { $0.name < $1.name }
        guard inputs.count == chosen.inputs.count else { return "" }
        let areAll = outputs.count == chosen.outputs.count
        return ModelSignature(inputs: .tensors(inputs), outputs: areAll ? .tensors(outputs) : nil)
            .json
    }

    private static func tensor(_ tensor: SavedModel.Tensor) -> ModelSignature.Tensor? {
        guard tensor.isDense, let shape = tensor.shape,
            let dtype = TensorFlowType(number: tensor.type)?.numpy
        else { return nil }
        return ModelSignature.Tensor(
            name: tensor.name, dtype: dtype,
            shape: shape.map { $0.flatMap { Int64(exactly: $0) } ?? -1 })
    }

    // MARK: Findings

    private mutating func checkOperations() {
        for (name, count) in model.operations.sorted(by: { $0.key < $1.key }) {
            let times = count == 1 ? "" : ", \(count) times"
            if let what = Self.dangerous[name] {
                verdict = .dangerous
                note(.danger, file.path, "its operation \(name)\(times) \(what) when it is used")
            } else if let what = Self.suspicious[name] {
                verdict = max(verdict, .unknown)
                note(.warning, file.path, "its operation \(name)\(times) \(what) when it is used")
            }
        }
    }

    private mutating func checkAssets(_ files: [ModelSourceFile]) {
        let paths = Set(files.map(\.path))
        for asset in model.assets.prefix(1_000) {
            guard let place = try? TreePath("\(folder)assets/\(asset)"),
                !asset.utf8.contains(UInt8(ascii: "\\"))
            else {
                verdict = .dangerous
                note(
                    .danger, file.path,
                    "its asset \"\(asset.prefix(200))\" is no path inside the model")
                continue
            }
            if !paths.contains(place.text) {
                note(
                    .warning, file.path, "its asset \"\(asset.prefix(200))\" is not in the model")
            }
        }
    }

    private static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }
}
