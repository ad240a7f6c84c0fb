import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// What the ONNX files of a model say of it.
struct ONNXSummary {
    /// Operator sets that every runtime has (onnx/onnx, `defs/schema.h`).
    static let standardDomains: Set<String> = [
        "", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview", "ai.onnx.preview.training",
    ]
    /// Operator sets that ONNX Runtime brings along.
    static let runtimeDomains: Set<String> = [
        "com.microsoft", "com.microsoft.nchwc", "com.microsoft.experimental",
        "com.ms.internal.nhwc",
    ]

    private let sizes: [String: UInt64]
    private let isAlone: Bool
    private var whole = ModelDescription()
    private var facts: [String: String] = [:]
    private var version = ""
    /// Whether an operator is of a library that is not known.
    private var isCustom = false
    /// Whether loading would read what is not the model's.
    private var isExternalWrong = false

    /// - Parameters:
    ///   - files: All files of the model.
    ///   - isAlone: Whether one ONNX file is all of it; only then it has the model's signature.
    init(files: [ModelSourceFile], isAlone: Bool) {
        sizes = Dictionary(
            files.map { ($0.path, $0.size) }, uniquingKeysWith: { first, _ in first })
        self.isAlone = isAlone
    }

    /// Takes in a file.
    mutating func add(_ model: ONNXModel, of file: ModelSourceFile) {
        whole.files.append(ModelFileDescription(path: file.path, role: .weights))
        if version.isEmpty { version = model.irVersion.map(String.init) ?? "" }
        add(Self.facts(of: model), of: file.path)
        for tensor in model.initializers
        where whole.tensors.count < ModelDescription.Bounds.tensors {
            whole.tensors.append(
                TensorDescription(
                    name: tensor.name, dtype: ONNXType(number: tensor.type)?.name ?? "?",
                    shape: tensor.shape))
        }
        whole.parameters = Self.sum(whole.parameters, model.elements)
        whole.memoryBytes = Self.sum(whole.memoryBytes, model.bytes)
        if isAlone { addSignature(of: model, file.path) }
        addCard(model.metadata)
        checkOperators(of: model, file.path)
        if !model.misfits.isEmpty {
            note(
                .warning, file.path,
                "tensor \"\(model.misfits[0].prefix(200))\""
                    + (model.misfits.count > 1
                        ? " and \(model.misfits.count - 1) more have" : " has")
                    + " other data than the shape says")
        }
        checkExternals(of: model, file)
    }

    /// The whole.
    var description: ModelDescription {
        var whole = whole
        whole.flavors = [FlavorDescription(name: "onnx", version: version, facts: facts)]
        whole.verdict = isExternalWrong ? .dangerous : isCustom ? .unknown : .safe
        return whole
    }

    // MARK: Facts

    private static func facts(of model: ONNXModel) -> [String: String] {
        var facts: [String: String] = [:]
        facts["ir_version"] = model.irVersion.map { String($0) }
        facts["graph"] = model.graphName
        let producer = [model.producer, model.producerVersion].filter { !$0.isEmpty }
        facts["producer"] = producer.joined(separator: " ")
        facts["domain"] = model.domain
        facts["nodes"] = String(model.nodes)
        facts["initializers"] = String(model.initializerCount)
        facts["operators"] = String(model.operators.count)
        let operators = model.operators.sorted { $0.key < $1.key }.prefix(200)
        facts["operator_counts"] = operators.map { "\($0.key):\($0.value)" }
            .joined(separator: ",")
        facts["inputs"] = model.inputs.prefix(64).map(shown).joined(separator: "; ")
        facts["outputs"] = model.outputs.prefix(64).map(shown).joined(separator: "; ")
        if let version = model.modelVersion { facts["model_version"] = String(version) }
        if model.subgraphs > 0 { facts["subgraphs"] = String(model.subgraphs) }
        if !model.functions.isEmpty {
            facts["functions"] = model.functions.sorted().prefix(200).map(\.description)
                .joined(separator: ",")
        }
        if !model.externals.isEmpty { facts["external_tensors"] = String(model.externals.count) }
        for (domain, version) in model.opsets.sorted(by: { $0.key < $1.key }).prefix(64) {
            facts["opset.\(domain.isEmpty ? "ai.onnx" : domain)"] = String(version)
        }
        for (key, value) in model.metadata.sorted(by: { $0.key < $1.key }).prefix(256)
        where key.utf8.count <= Limits.keyBytes && value.utf8.count <= 4_096 {
            facts["metadata.\(key)"] = value
        }
        return facts.filter { !$0.value.isEmpty && $0.value.utf8.count <= 8_192 }
    }

    private static func shown(_ value: ONNXModel.Value) -> String {
        guard let (type, shape) = value.tensor else {
            return "\(value.name) \(value.kind.isEmpty ? "of no type" : value.kind)"
        }
        let name = ONNXType(number: type)?.name ?? "?"
        guard let shape else { return "\(value.name) \(name) of any shape" }
        return "\(value.name) \(name) ["
            + shape.map { $0.map(String.init) ?? "-1" }.joined(separator: ", ") + "]"
    }

    private mutating func add(_ facts: [String: String], of path: String) {
        for (key, value) in facts where self.facts.count < ModelDescription.Bounds.facts {
            self.facts[isAlone ? key : "\(path): \(key)"] = value
        }
    }

    private mutating func addCard(_ metadata: [String: String]) {
        for key in ["author", "license", "description", "company", "converted_from"] {
            guard let value = metadata[key], !value.isEmpty, value.utf8.count <= 4_096 else {
                continue
            }
            whole.card[key] = value
            if key == "license", whole.license.isEmpty { whole.license = value }
        }
    }

    // MARK: Signature

    private mutating func addSignature(of model: ONNXModel, _ path: String) {
        let inputs = model.inputs.filter { !model.initializerNames.contains($0.name) }
        let asked = inputs.compactMap(Self.tensor)
        let given = model.outputs.compactMap(Self.tensor)
        guard asked.count == inputs.count else {
            note(.info, path, "not all of its inputs are tensors that MLflow can name")
            return
        }
        let areAll = given.count == model.outputs.count
        if !areAll {
            note(.info, path, "not all of its outputs are tensors that MLflow can name")
        }
        whole.signature =
            ModelSignature(inputs: .tensors(asked), outputs: areAll ? .tensors(given) : nil).json
    }

    private static func tensor(_ value: ONNXModel.Value) -> ModelSignature.Tensor? {
        guard let (number, shape) = value.tensor, let shape,
            let dtype = ONNXType(number: number)?.numpy
        else { return nil }
        // A length of 0 is how some exporters write that any length is right.
        let lengths = shape.map { length -> Int64 in
            length.flatMap { $0 == 0 ? nil : Int64(exactly: $0) } ?? -1
        }
        return ModelSignature.Tensor(name: value.name, dtype: dtype, shape: lengths)
    }

    // MARK: Findings

    private mutating func checkOperators(of model: ONNXModel, _ path: String) {
        let ownDomains = Set(model.functions.map(\.domain))
        var strange: [String: [String]] = [:]
        for kind in model.operators.keys.sorted()
        where !Self.standardDomains.contains(kind.domain) && !model.functions.contains(kind) {
            strange[kind.domain, default: []].append(kind.name)
        }
        for (domain, names) in strange.sorted(by: { $0.key < $1.key }).prefix(100) {
            let shown = names.prefix(5).joined(separator: ", ") + (names.count > 5 ? ", …" : "")
            if Self.runtimeDomains.contains(domain) {
                note(.info, path, "it needs ONNX Runtime for \(shown) of \(domain)")
            } else {
                isCustom = true
                note(
                    .warning, path,
                    "it has the custom operators \(shown) of \"\(domain.prefix(200))\", which a "
                        + "library of native code must bring"
                        + (ownDomains.contains(domain) ? " besides its own functions" : ""))
            }
        }
    }

    private mutating func checkExternals(of model: ONNXModel, _ file: ModelSourceFile) {
        var told: Set<String> = []
        var places: Set<String> = []
        for tensor in model.externals {
            let place = ONNXExternalData(tensor, of: file.path, sizes: sizes)
            if let path = place.path { places.insert(path) }
            if place.problem != nil { isExternalWrong = true }
            guard let problem = place.problem, told.count < 100,
                told.insert("\(tensor.external["location"] ?? "")\(problem.kind)").inserted
            else { continue }
            note(
                .danger, file.path,
                "tensor \"\(tensor.name.prefix(200))\" has its data in "
                    + "\"\((tensor.external["location"] ?? "").prefix(200))\", \(problem.says)")
        }
        for path in places.sorted() {
            whole.files.append(ModelFileDescription(path: path, role: .weights))
        }
    }

    private mutating func note(_ severity: Finding.Severity, _ path: String, _ message: String) {
        guard whole.findings.count < ModelDescription.Bounds.findings else { return }
        whole.findings.append(Finding(severity: severity, path: path, message: message))
    }

    private static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }
}
