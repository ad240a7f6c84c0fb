import LinajeDomain
import LinajePluginKit

/// What several safetensors files together say of a model.
struct SafetensorsSummary: Sendable {
    /// Most facts taken from `__metadata__`.
    static let mostMetadata = 256
    /// Longest such fact in bytes.
    static let mostMetadataBytes = 4_096

    private var files = 0
    private var headerBytes: UInt64 = 0
    private var dataBytes: UInt64 = 0
    private var parameters: UInt64 = 0
    private var dtypes: Set<String> = []
    private var tensors: [TensorDescription] = []
    /// The file of each tensor.
    private var places: [String: String] = [:]
    private var paths: Set<String> = []
    private var facts: [String: String] = [:]
    private var card: [String: String] = [:]
    private var roles: [ModelFileDescription] = []
    private var findings: [Finding] = []

    init() {}

    /// Takes in a file.
    mutating func add(_ header: SafetensorsHeader, of file: ModelSourceFile) {
        files += 1
        paths.insert(file.path)
        roles.append(ModelFileDescription(path: file.path, role: .weights))
        headerBytes = headerBytes &+ header.dataStart
        dataBytes = dataBytes &+ (file.size - header.dataStart)
        for tensor in header.tensors {
            if let other = places.updateValue(file.path, forKey: tensor.name) {
                warn(file.path, "tensor \"\(tensor.name.prefix(200))\" is in \(other) too")
                continue
            }
            dtypes.insert(tensor.dtype)
            let (sum, overflow) = parameters.addingReportingOverflow(tensor.elements)
            parameters = overflow ? .max : sum
            if tensors.count < ModelDescription.Bounds.tensors {
                tensors.append(
                    TensorDescription(
                        name: tensor.name, dtype: tensor.dtype, shape: tensor.shape))
            }
        }
        if !header.dataStart.isMultiple(of: 8) {
            warn(file.path, "its data begins at byte \(header.dataStart), which is not aligned")
        }
        add(header.metadata, of: file.path)
    }

    /// Notes where an index and the files disagree.
    mutating func compare(with index: SafetensorsIndex) {
        roles.append(ModelFileDescription(path: index.path, role: .index))
        for path in Set(index.files.values).sorted() where !paths.contains(path) {
            warn(index.path, "it names \"\(path.prefix(200))\", which is not in the model")
        }
        let misplaced = index.files.filter { tensor, path in
            paths.contains(path) && places[tensor] != path
        }
        for (tensor, path) in misplaced.sorted(by: { $0.key < $1.key }).prefix(20) {
            warn(index.path, "tensor \"\(tensor.prefix(200))\" is not in \(path)")
        }
        if misplaced.count > 20 {
            warn(index.path, "\(misplaced.count - 20) more tensors are not where it says")
        }
        let listed = Set(index.files.values)
        let unlisted = places.count { listed.contains($0.value) && index.files[$0.key] == nil }
        if unlisted > 0 { warn(index.path, "\(unlisted) tensors of its files are not in it") }
    }

    /// The whole.
    var description: ModelDescription {
        var facts = facts
        facts["files"] = String(files)
        facts["tensors"] = String(places.count)
        facts["data_bytes"] = String(dataBytes)
        facts["header_bytes"] = String(headerBytes)
        facts["dtypes"] = dtypes.sorted().joined(separator: ",")
        var findings = findings
        if places.count > tensors.count {
            findings.append(
                Finding(
                    severity: .info,
                    message: "\(tensors.count) of \(places.count) tensors are shown"))
        }
        return ModelDescription(
            flavors: [FlavorDescription(name: "safetensors", facts: facts)],
            tensors: tensors, parameters: parameters, findings: findings, files: roles,
            memoryBytes: dataBytes, license: card["license"] ?? "", card: card)
    }

    /// Keys by which image models say who made them (Stability-AI/ModelSpec).
    private static let cardKeys = [
        "title", "author", "license", "description", "architecture", "tags", "date", "usage_hint",
    ]

    private mutating func add(_ metadata: [String: String], of path: String) {
        for key in Self.cardKeys where card[key] == nil {
            guard let value = metadata["modelspec.\(key)"], !value.isEmpty,
                value.utf8.count <= Self.mostMetadataBytes
            else { continue }
            card[key] = value
        }
        var left = 0
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            let name = "metadata.\(key)"
            guard facts[name] == nil else { continue }
            guard facts.count < Self.mostMetadata, name.utf8.count <= Limits.keyBytes,
                value.utf8.count <= Self.mostMetadataBytes
            else {
                left += 1
                continue
            }
            facts[name] = value
        }
        if left > 0 {
            findings.append(
                Finding(
                    severity: .info, path: path,
                    message: "\(left) entries of its metadata are too long or too many to show"))
        }
    }

    private mutating func warn(_ path: String, _ message: String) {
        guard findings.count < ModelDescription.Bounds.findings else { return }
        findings.append(Finding(severity: .warning, path: path, message: message))
    }
}
