import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// A folder in the layout of transformers, while it is read.
struct ModelFolder {
    /// Longest configuration in bytes.
    static let mostConfigBytes = 4 << 20
    /// Longest index of shards in bytes.
    static let mostIndexBytes = 32 << 20
    /// Longest chat template in bytes.
    static let mostTemplateBytes = 1 << 20
    /// How much of a model card is read, in bytes: the beginning, where its fields stand.
    static let mostCardBytes = 256 << 10
    /// Most files of one kind that are read.
    static let mostFiles = 64

    /// All files of the model.
    let files: [ModelSourceFile]
    let paths: Set<String>
    var version = ""
    var facts: [String: String] = [:]
    var card: [String: String] = [:]
    var license = ""
    var memoryBytes: UInt64 = 0
    private(set) var verdict: ScanVerdict = .safe
    private var findings: [Finding] = []

    init(_ files: [ModelSourceFile]) {
        self.files = files.sorted { left, right in
            let depths = (Self.depth(left.path), Self.depth(right.path))
            return depths.0 == depths.1
                ? left.path.utf8.lexicographicallyPrecedes(right.path.utf8) : depths.0 < depths.1
        }
        paths = Set(files.map(\.path))
    }

    /// The last part of a path.
    static func name(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    private static func depth(_ path: String) -> Int { path.utf8.count { $0 == 0x2f } }

    /// The files that say something, the outermost first.
    var described: [ModelSourceFile] {
        var counts: [String: Int] = [:]
        return files.filter { file in
            let name = Self.name(file.path)
            guard Self.reads(name) else { return false }
            counts[name, default: 0] += 1
            return counts[name, default: 0] <= Self.mostFiles
        }
    }

    private static func reads(_ name: String) -> Bool {
        let names: Set = [
            "config.json", "tokenizer_config.json", "generation_config.json", "README.md",
            "adapter_config.json", "preprocessor_config.json", "processor_config.json",
            "chat_template.json", "video_preprocessor_config.json",
        ]
        return names.contains(name) || name.hasSuffix(".bin.index.json")
            || name.hasSuffix(".jinja")
    }

    /// Reads one of `described`.
    ///
    /// - Throws: `invalidArgument` or `limitExceeded` naming the file.
    mutating func read(_ file: ModelSourceFile, from source: any ModelSource) async throws {
        let name = Self.name(file.path)
        if name == "README.md" {
            let bytes = try await source.read(file.path, offset: 0, length: Self.mostCardBytes)
            return read(card: ModelCard(parsing: bytes))
        }
        if name.hasSuffix(".jinja") {
            let bytes = try await source.small(file.path, limit: Self.mostTemplateBytes)
            return check(template: String(decoding: bytes, as: UTF8.self), file.path)
        }
        let isIndex = name.hasSuffix(".index.json")
        let limit = isIndex ? Self.mostIndexBytes : Self.mostConfigBytes
        let bytes = try await source.small(file.path, limit: limit)
        let json = try JSONValue(parsing: bytes, name: file.path)
        guard json.members != nil else {
            throw LinajeError(.invalidArgument, "\(file.path) holds no JSON object")
        }
        switch name {
        case "config.json": read(config: json, file.path)
        case "generation_config.json": read(generation: json)
        case "adapter_config.json": read(adapter: json, file.path)
        case "tokenizer_config.json", "chat_template.json": read(tokenizer: json, file.path)
        default: if isIndex { read(index: json, file.path) }
        }
        checkCode(json, file.path)
    }

    // MARK: Findings

    /// A file that this flavor does not read, and a loader may.
    mutating func noteUnread(_ path: String, _ message: String) {
        verdict = max(verdict, .unknown)
        note(.warning, path, message)
    }

    mutating func note(_ severity: Finding.Severity, _ path: String, _ message: String) {
        if severity == .danger { verdict = .dangerous }
        guard findings.count < ModelDescription.Bounds.findings else { return }
        findings.append(Finding(severity: severity, path: path, message: message))
    }

    /// Looks at a chat template.
    mutating func check(template: String, _ path: String) {
        facts["chat_template"] = "\(template.utf8.count) bytes"
        guard let name = ChatTemplate.suspicious(in: template) else { return }
        note(
            .danger, path,
            "its chat template reaches for \"\(name)\", by which a Jinja template gets at Python; "
                + "run it only in a sandbox")
    }

    /// What a configuration asks to be run: classes by module, in this folder or in another
    /// repository (transformers, `dynamic_module_utils.py`).
    private mutating func checkCode(_ json: JSONValue, _ path: String) {
        var classes: [String] = []
        for member in json["auto_map"]?.members ?? [] { classes += member.value.texts }
        for member in json["custom_pipelines"]?.members ?? [] {
            if let text = member.value["impl"]?.text { classes.append(text) }
        }
        guard !classes.isEmpty else { return }
        facts["custom_code"] = Set(classes).sorted().prefix(20).joined(separator: ",")
        let shown = Set(classes).sorted().prefix(5).map { $0.prefix(100) }.joined(separator: ", ")
        note(
            .danger, path,
            "it asks for code of its own: \(shown); loading it with trust_remote_code runs it")
        for name in Set(classes.filter { $0.contains("--") }).sorted().prefix(5) {
            note(
                .danger, path,
                "the code for \(name.prefix(200)) is in another repository, which "
                    + "can change it at any time")
        }
    }

    // MARK: Result

    /// The whole.
    var description: ModelDescription {
        var findings = findings
        let roles = files.compactMap { file in
            Self.role(file.path).map { ModelFileDescription(path: file.path, role: $0) }
        }
        let weights = roles.filter { $0.role == .weights }.map(\.path)
        if !weights.isEmpty, !weights.contains(where: { $0.hasSuffix(".safetensors") }),
            let pickled = weights.first(where: { $0.hasSuffix(".bin") })
        {
            findings.append(
                Finding(
                    severity: .info, path: pickled,
                    message: "its weights are there as pickles only; save them as safetensors"))
        }
        return ModelDescription(
            flavors: [
                FlavorDescription(
                    name: "transformers", version: version,
                    facts: facts.filter { !$0.value.isEmpty && $0.value.utf8.count <= 8_192 })
            ],
            findings: findings, files: roles, memoryBytes: memoryBytes, license: license,
            card: card.filter { $0.value.utf8.count <= 8_192 }, verdict: verdict)
    }

    private static let tokenizerNames: Set<String> = [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json",
        "vocab.txt", "merges.txt", "added_tokens.json", "spiece.model", "tokenizer.model",
        "sentencepiece.bpe.model", "chat_template.json",
    ]
    private static let configNames: Set<String> = [
        "config.json", "generation_config.json", "adapter_config.json",
        "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json",
    ]

    /// What a file is for; `nil` for one that is no part of the layout.
    private static func role(_ path: String) -> ModelFileRole? {
        let name = name(path)
        if tokenizerNames.contains(name) || name.hasSuffix(".jinja") { return .tokenizer }
        if configNames.contains(name) { return .config }
        if name.hasSuffix(".index.json") { return .index }
        if name == "README.md" { return .card }
        if name.hasSuffix(".py") { return .code }
        let weights = [".safetensors", ".h5", ".msgpack"]
        if weights.contains(where: { name.hasSuffix($0) }) { return .weights }
        let isPickle = name.hasSuffix(".bin") || name.hasSuffix(".pt") || name.hasSuffix(".pth")
        return isPickle ? .weights : nil
    }
}
