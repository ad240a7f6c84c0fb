import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// What the files of torch together say of a model.
struct TorchSummary {
    private var files: [ModelFileDescription] = []
    private var facts: [String: String] = [:]
    private var findings: [Finding] = []
    private var tensors: [TensorDescription] = []
    private var parameters: UInt64 = 0
    private var memory: UInt64 = 0
    private var count = 0
    private var storages = 0
    private var dtypes: Set<String> = []

    init() {}

    /// Takes in an archive.
    mutating func add(_ torch: TorchArchive, of file: ModelSourceFile) async throws {
        let report = try await torch.object()
        guard report.isWhole else {
            throw LinajeError(
                .invalidArgument,
                "\(file.path): data.pkl \(report.problems.last?.message ?? "is no pickle")")
        }
        add(report, of: file, format: torch.hasCode ? "torchscript" : "zip")
        for (name, fact) in [("version", "format_version"), ("byteorder", "byteorder")] {
            if facts[fact] == nil, let text = try await torch.text(name) {
                facts[fact] = String(text.prefix(40))
            }
        }
        if torch.hasCode {
            findings.append(
                Finding(
                    severity: .warning, path: file.path,
                    message: "it is a program of TorchScript: using it runs the code it holds"))
        }
        check(report.torchStorages, in: torch, file)
    }

    /// Takes in the object of a file.
    mutating func add(_ report: PickleReport, of file: ModelSourceFile, format: String) {
        files.append(ModelFileDescription(path: file.path, role: .weights))
        facts["format"] = facts["format"] ?? format
        if facts["object"] == nil { facts["object"] = Self.kind(of: report.root) }
        let found = TorchTensors(report.root)
        count += found.count
        dtypes.formUnion(found.dtypes)
        let (sum, overflow) = parameters.addingReportingOverflow(found.parameters)
        parameters = overflow ? .max : sum
        let room = ModelDescription.Bounds.tensors - tensors.count
        tensors += found.tensors.prefix(max(0, room))
        for storage in report.torchStorages.values {
            storages += 1
            let (bytes, overflow) = storage.count.multipliedReportingOverflow(by: storage.itemBytes)
            let (sum, tooLarge) = memory.addingReportingOverflow(overflow ? .max : bytes)
            memory = tooLarge ? .max : sum
        }
        if found.isCut {
            findings.append(
                Finding(
                    severity: .info, path: file.path,
                    message: "it has more values than are looked at; tensors may be missing"))
        }
    }

    var description: ModelDescription {
        var facts = facts
        facts["files"] = String(files.count)
        facts["tensors"] = String(count)
        facts["storages"] = String(storages)
        facts["dtypes"] = dtypes.sorted().joined(separator: ",")
        return ModelDescription(
            flavors: [FlavorDescription(name: "pytorch", facts: facts)], tensors: tensors,
            parameters: parameters, findings: findings, files: files, memoryBytes: memory)
    }

    /// Storages that are not as long as the object says.
    private mutating func check(
        _ storages: [String: TorchStorage], in torch: TorchArchive, _ file: ModelSourceFile
    ) {
        var wrong = 0
        for (key, storage) in storages {
            let (bytes, overflow) = storage.count.multipliedReportingOverflow(by: storage.itemBytes)
            if overflow || torch.storageBytes(key) != bytes { wrong += 1 }
        }
        if wrong > 0 {
            findings.append(
                Finding(
                    severity: .warning, path: file.path,
                    message: "\(wrong) of \(storages.count) storages are missing or of another size"
                ))
        }
    }

    /// What the object is, for people.
    private static func kind(of root: PickleNode) -> String {
        if let maker = root.maker {
            return maker.path == "collections.OrderedDict" ? "state dict" : maker.path
        }
        if let entries = root.entries {
            let keys = entries.compactMap(\.key.text)
            let isState = entries.contains { TorchTensors.isTensor($0.value) }
            return isState ? "state dict" : "dict of \(keys.prefix(20).joined(separator: ", "))"
        }
        return root.elements == nil ? "value" : "list"
    }
}
