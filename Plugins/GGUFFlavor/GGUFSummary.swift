import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// What the GGUF files of a model together say of it.
struct GGUFSummary {
    private var files: [ModelFileDescription] = []
    private var first: GGUFHeader?
    private var facts: [String: String] = [:]
    private var card: [String: String] = [:]
    private var tensors: [TensorDescription] = []
    private var tensorCount = 0
    private var parameters: UInt64 = 0
    private var dataBytes: UInt64 = 0
    private var types: [String: Int] = [:]
    private var splits: [String: Split] = [:]
    private var findings: [Finding] = []
    /// What the look at the chat templates came to.
    private var verdict: ScanVerdict?

    /// The parts of one model in several files.
    private struct Split {
        var count: UInt64
        var tensors: UInt64?
        var seen: Set<UInt64> = []
        var seenTensors = 0
        var path: String
    }

    init() {}

    /// Takes in a file.
    mutating func add(_ header: GGUFHeader, of file: ModelSourceFile) {
        files.append(ModelFileDescription(path: file.path, role: .weights))
        tensorCount += header.tensors.count
        for tensor in header.tensors {
            types[tensor.type.name, default: 0] += 1
            parameters = Self.sum(parameters, tensor.elements)
            dataBytes = Self.sum(dataBytes, tensor.bytes)
            if tensors.count < ModelDescription.Bounds.tensors {
                tensors.append(
                    TensorDescription(
                        name: tensor.name, dtype: tensor.type.name, shape: tensor.shape))
            }
        }
        let end = Self.sum(header.dataStart, header.dataEnd)
        if file.size > end {
            note(
                .warning, file.path,
                "\(file.size - end) bytes follow its data; it may be another file at the same time")
        }
        noteSplit(header, of: file)
        noteTemplates(header, of: file)
        if first == nil {
            first = header
            readFacts(header)
            readCard(header)
        }
    }

    /// The whole.
    var description: ModelDescription {
        var facts = facts
        var findings = findings
        facts["files"] = String(files.count)
        facts["tensors"] = String(tensorCount)
        facts["data_bytes"] = String(dataBytes)
        facts["types"] = types.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }
            .joined(separator: ",")
        for (_, split) in splits.sorted(by: { $0.key < $1.key }) {
            findings += Self.missing(of: split)
        }
        if tensorCount > tensors.count {
            findings.append(
                Finding(
                    severity: .info, message: "\(tensors.count) of \(tensorCount) tensors are shown"
                ))
        }
        let version = first.map { String($0.version) } ?? ""
        return ModelDescription(
            flavors: [FlavorDescription(name: "gguf", version: version, facts: facts)],
            tensors: tensors, parameters: parameters, findings: findings, files: files,
            memoryBytes: dataBytes, license: card["license"] ?? "", card: card,
            verdict: verdict)
    }

    // MARK: Metadata

    private mutating func readFacts(_ header: GGUFHeader) {
        for (key, value) in header.metadata.prefix(ModelDescription.Bounds.facts - 50)
        where key.utf8.count <= Limits.keyBytes {
            if let fact = value.fact { facts[key] = fact }
        }
        facts["byte_order"] = header.isBigEndian ? "big" : "little"
        facts["alignment"] = String(header.alignment)
        let architecture = header["general.architecture"]?.text
        facts["architecture"] = architecture
        if let number = header["general.file_type"]?.number {
            facts["quantization"] = GGMLType.fileTypes[number] ?? "type \(number)"
        }
        guard let architecture else { return }
        let sizes = [
            ("context_length", "context_length"), ("embedding_length", "embedding_length"),
            ("layers", "block_count"), ("heads", "attention.head_count"),
            ("experts", "expert_count"), ("adapter_alpha", "lora.alpha"),
        ]
        for (name, key) in sizes {
            if let fact = header["\(architecture).\(key)"]?.fact { facts[name] = fact }
        }
        facts["vocabulary"] = header["tokenizer.ggml.tokens"]?.count.map(String.init)
    }

    /// Keys of `general.` that say who made the model (gguf.md, "General metadata").
    private static let cardKeys = [
        "name", "author", "version", "organization", "finetune", "basename", "description",
        "quantized_by", "size_label", "license", "license.name", "license.link", "url", "doi",
        "repo_url", "source.url", "source.repo_url", "base_model.0.name", "base_model.0.author",
        "base_model.0.organization", "base_model.0.repo_url", "dataset.0.name",
    ]

    private mutating func readCard(_ header: GGUFHeader) {
        for key in Self.cardKeys {
            if let fact = header["general.\(key)"]?.text, !fact.isEmpty, fact.utf8.count <= 4_096 {
                card[key == "base_model.0.name" ? "base_model" : key] = fact
            }
        }
        for (name, key) in [
            ("tags", "general.tags"), ("language", "general.languages"),
            ("datasets", "general.datasets"),
        ] {
            let texts = header[key]?.texts ?? []
            if !texts.isEmpty { card[name] = texts.joined(separator: ", ") }
        }
    }

    // MARK: Findings

    private mutating func noteTemplates(_ header: GGUFHeader, of file: ModelSourceFile) {
        for (key, value) in header.metadata where key.hasPrefix("tokenizer.chat_template") {
            guard let template = value.text else {
                verdict = [verdict ?? .unknown, .unknown].max()
                note(.warning, file.path, "\(key) is too long to be looked at")
                continue
            }
            verdict = verdict ?? .safe
            facts["chat_template"] = "\(template.utf8.count) bytes"
            // A template is a Jinja program that the loader runs (CVE-2024-34359).
            if let name = ChatTemplate.suspicious(in: template) {
                verdict = .dangerous
                note(
                    .danger, file.path,
                    "\(key) reaches for \"\(name)\", by which a Jinja template gets at Python; "
                        + "run it only in a sandbox")
            }
        }
    }

    private mutating func noteSplit(_ header: GGUFHeader, of file: ModelSourceFile) {
        guard let count = header["split.count"]?.number, count > 1 else { return }
        let name = file.path.split(separator: "-").dropLast(3).joined(separator: "-")
        var split =
            splits[name]
            ?? Split(
                count: count, tensors: header["split.tensors.count"]?.number, path: file.path)
        if split.count != count {
            note(.warning, file.path, "it says it is one of \(count) parts, others \(split.count)")
        }
        if let number = header["split.no"]?.number {
            if number >= count || !split.seen.insert(number).inserted {
                note(.warning, file.path, "it says it is part \(number) of \(count), wrongly")
            }
        }
        split.seenTensors += header.tensors.count
        splits[name] = split
    }

    private static func missing(of split: Split) -> [Finding] {
        if UInt64(split.seen.count) < split.count {
            return [
                Finding(
                    severity: .warning, path: split.path,
                    message: "\(split.seen.count) of its \(split.count) parts are in the model")
            ]
        }
        if let tensors = split.tensors, tensors != UInt64(split.seenTensors) {
            return [
                Finding(
                    severity: .warning, path: split.path,
                    message: "its parts have \(split.seenTensors) tensors, but it says \(tensors)")
            ]
        }
        return []
    }

    private mutating func note(_ severity: Finding.Severity, _ path: String, _ message: String) {
        guard findings.count < ModelDescription.Bounds.findings else { return }
        findings.append(Finding(severity: severity, path: path, message: message))
    }

    private static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }
}
