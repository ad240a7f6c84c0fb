/// What a model's files say it is, read without running any of it.
public struct ModelDescription: Sendable, Hashable, Codable {
    public var flavors: [FlavorDescription]
    /// MLflow's signature as JSON {"inputs", "outputs", "params"}, or empty.
    public var signature: String
    /// Lines of a requirements.txt.
    public var requirements: [String]
    /// At most 10,000 of its tensors.
    public var tensors: [TensorDescription]
    /// 0: unknown.
    public var parameters: UInt64
    public var findings: [Finding]
    /// The files that the flavors know, with what each is for.
    public var files: [ModelFileDescription]
    /// Bytes that the weights take in memory when they are loaded as they are stored; 0: unknown.
    public var memoryBytes: UInt64
    /// The licence as its files name it ("apache-2.0"), or empty.
    public var license: String
    /// Fields of the model card, by name.
    public var card: [String: String]
    /// What looking for code in its files came to; `nil`: no file of it can hold code that loading
    /// runs.
    public var verdict: ScanVerdict?

    public init(
        flavors: [FlavorDescription] = [], signature: String = "", requirements: [String] = [],
        tensors: [TensorDescription] = [], parameters: UInt64 = 0, findings: [Finding] = [],
        files: [ModelFileDescription] = [], memoryBytes: UInt64 = 0, license: String = "",
        card: [String: String] = [:], verdict: ScanVerdict? = nil
    ) {
        self.flavors = flavors
        self.signature = signature
        self.requirements = requirements
        self.tensors = tensors
        self.parameters = parameters
        self.findings = findings
        self.files = files
        self.memoryBytes = memoryBytes
        self.license = license
        self.card = card
        self.verdict = verdict
    }

    /// Descriptions outlive releases: what an older one did not say is as if nothing was found.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        flavors = try fields.decode([FlavorDescription].self, forKey: .flavors)
        signature = try fields.decode(String.self, forKey: .signature)
        requirements = try fields.decode([String].self, forKey: .requirements)
        tensors = try fields.decode([TensorDescription].self, forKey: .tensors)
        parameters = try fields.decode(UInt64.self, forKey: .parameters)
        findings = try fields.decode([Finding].self, forKey: .findings)
        files = try fields.decodeIfPresent([ModelFileDescription].self, forKey: .files) ?? []
        memoryBytes = try fields.decodeIfPresent(UInt64.self, forKey: .memoryBytes) ?? 0
        license = try fields.decodeIfPresent(String.self, forKey: .license) ?? ""
        card = try fields.decodeIfPresent([String: String].self, forKey: .card) ?? [:]
        verdict = try fields.decodeIfPresent(ScanVerdict.self, forKey: .verdict)
    }

    /// Takes in what another flavor says of the same files. Where both say something, what was said
    /// first stays; of two verdicts the worse counts.
    public mutating func merge(_ other: ModelDescription) {
        for flavor in other.flavors {
            if let place = flavors.firstIndex(where: { $0.name == flavor.name }) {
                if flavors[place].version.isEmpty { flavors[place].version = flavor.version }
                flavors[place].facts.merge(flavor.facts) { first, _ in first }
            } else {
                flavors.append(flavor)
            }
        }
        if signature.isEmpty { signature = other.signature }
        for line in other.requirements where !requirements.contains(line) {
            requirements.append(line)
        }
        if tensors.isEmpty { tensors = other.tensors }
        if parameters == 0 { parameters = other.parameters }
        findings += other.findings
        merge(files: other.files)
        if memoryBytes == 0 { memoryBytes = other.memoryBytes }
        if license.isEmpty { license = other.license }
        card.merge(other.card) { first, _ in first }
        verdict = [verdict, other.verdict].compactMap(\.self).max()
    }

    private mutating func merge(files others: [ModelFileDescription]) {
        var places = Dictionary(
            files.indices.map { (files[$0].path, $0) }, uniquingKeysWith: { first, _ in first })
        for file in others {
            if let place = places[file.path] {
                if files[place].role == .other { files[place].role = file.role }
            } else {
                places[file.path] = files.count
                files.append(file)
            }
        }
    }
}

/// A file of a model and what it is for.
public struct ModelFileDescription: Sendable, Hashable, Codable {
    public var path: String
    public var role: ModelFileRole

    public init(path: String, role: ModelFileRole) {
        self.path = path
        self.role = role
    }
}

/// What a file of a model is for.
public enum ModelFileRole: String, Sendable, Hashable, Codable, CaseIterable {
    /// The parameters, or the whole model when one file is all of it.
    case weights
    /// Which weights are in which file.
    case index
    /// The architecture and other settings.
    case config
    case tokenizer
    /// Programs that using the model runs.
    case code
    case signature
    /// What must be installed.
    case environment
    /// An input to try it with.
    case example
    /// What it is, for people.
    case card
    case other

    /// A role by its name; one that this version does not know is `other`.
    public init(named name: String) { self = ModelFileRole(rawValue: name) ?? .other }

    public init(from decoder: any Decoder) throws {
        self.init(named: try decoder.singleValueContainer().decode(String.self))
    }
}

/// What looking for code in a model's files came to, from the best to the worst.
public enum ScanVerdict: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
    /// Everything that loading calls is on the list of what does no harm.
    case safe
    /// Loading calls what is on no list.
    case unknown
    /// Loading calls what does harm, or what it calls cannot be told.
    case dangerous

    private var rank: Int {
        switch self {
        case .safe: 0
        case .unknown: 1
        case .dangerous: 2
        }
    }

    public static func < (left: ScanVerdict, right: ScanVerdict) -> Bool { left.rank < right.rank }
}

/// What one flavor says of a model.
public struct FlavorDescription: Sendable, Hashable, Codable {
    public var name: String
    /// The framework's version that wrote it, or empty.
    public var version: String
    public var facts: [String: String]

    public init(name: String, version: String = "", facts: [String: String] = [:]) {
        self.name = name
        self.version = version
        self.facts = facts
    }
}

/// One tensor of a model.
public struct TensorDescription: Sendable, Hashable, Codable {
    public var name: String
    /// "F32", "BF16", …
    public var dtype: String
    public var shape: [UInt64]

    public init(name: String, dtype: String, shape: [UInt64]) {
        self.name = name
        self.dtype = dtype
        self.shape = shape
    }
}

/// Something noticed in a model.
public struct Finding: Sendable, Hashable, Codable {
    public enum Severity: String, Sendable, Hashable, Codable {
        case info, warning, danger
    }

    public var severity: Severity
    /// The file, or empty.
    public var path: String
    public var message: String

    public init(severity: Severity, path: String = "", message: String) {
        self.severity = severity
        self.path = path
        self.message = message
    }
}
