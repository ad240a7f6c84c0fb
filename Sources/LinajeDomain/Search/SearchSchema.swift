/// A fact of an object that filters and orders may name, by its own name.
public enum SearchAttribute: String, Sendable, Hashable, CaseIterable {
    case artifactURI = "artifact_uri"
    case context
    case createdAt = "creation_time"
    case description
    case digest
    case endedAt = "end_time"
    case endedCause = "ended_cause"
    case experimentID = "experiment_id"
    case lifecycle
    case loggedModelID = "model_id"
    case modelType = "model_type"
    case name
    case parentID = "parent_id"
    case principal
    case runID = "run_id"
    case size
    case source
    case sourceType = "source_type"
    case stage
    case startedAt = "start_time"
    case status
    case updatedAt = "last_update_time"
    case user = "user_id"
    case version = "version_number"
}

/// A fact of the data sets of a run.
public enum DatasetAttribute: String, Sendable, Hashable, CaseIterable {
    case name, digest, context, source
    case sourceType = "source_type"
}

/// What kind of values a field has: which literals and which tests make sense.
public enum SearchKind: Sendable, Hashable {
    /// The last value of a metric.
    case number
    /// A text; a number without quotes compares with the params that are numbers.
    case param
    case text
    /// 16 bytes that are written as text, after a prefix.
    case identifier(prefix: String)
    case integer
    /// Microseconds; written as milliseconds since 1970, or as a date, or as RFC 3339.
    case time
}

/// What may be asked of one kind of object.
public struct SearchSchema: Sendable, Hashable {
    /// An attribute with its kind and the other names it is known by, in lower case.
    public struct Attribute: Sendable, Hashable {
        public var attribute: SearchAttribute
        public var kind: SearchKind
        public var aliases: [String]

        init(_ attribute: SearchAttribute, _ kind: SearchKind, _ aliases: String...) {
            self.attribute = attribute
            self.kind = kind
            self.aliases = aliases
        }
    }

    /// What messages call the objects: "runs".
    public let noun: String
    public let attributes: [Attribute]
    public let hasMetrics: Bool
    public let hasParams: Bool
    public let hasDatasets: Bool
    /// What stands before a dot and means an attribute, besides "attribute" and its short forms.
    let qualifiers: [String]

    private init(
        _ noun: String, hasMetrics: Bool = false, hasParams: Bool = false,
        hasDatasets: Bool = false, qualifiers: [String] = [], _ attributes: [Attribute]
    ) {
        self.noun = noun
        self.hasMetrics = hasMetrics
        self.hasParams = hasParams
        self.hasDatasets = hasDatasets
        self.qualifiers = qualifiers
        self.attributes = attributes
    }

    /// The attribute with a name or alias, in any case.
    public func attribute(named name: String) -> Attribute? {
        let lower = name.lowercased()
        return attributes.first { $0.attribute.rawValue == lower || $0.aliases.contains(lower) }
    }

    /// The kind of a field's values; `nil` when these objects have no such field.
    public func kind(of field: SearchField) -> SearchKind? {
        switch field {
        case .metric: hasMetrics ? .number : nil
        case .param: hasParams ? .param : nil
        case .tag: .text
        case .attribute(let attribute):
            attributes.first { $0.attribute == attribute }?.kind
        case .dataset: hasDatasets ? .text : nil
        }
    }

    public static let runs = SearchSchema(
        "runs", hasMetrics: true, hasParams: true, hasDatasets: true, qualifiers: ["run"],
        [
            Attribute(.runID, .identifier(prefix: ""), "id"),
            Attribute(.name, .text, "run_name", "run name"),
            Attribute(.status, .text),
            Attribute(.user, .text, "user"),
            Attribute(.artifactURI, .text),
            Attribute(.startedAt, .time, "created", "started_at"),
            Attribute(.endedAt, .time, "ended_at"),
            Attribute(.createdAt, .time, "created_at"),
            Attribute(.endedCause, .text),
            Attribute(.experimentID, .integer, "experiment"),
            Attribute(.lifecycle, .text, "lifecycle_stage"),
            Attribute(.parentID, .identifier(prefix: "")),
            Attribute(.principal, .text),
        ])

    public static let experiments = SearchSchema(
        "experiments",
        [
            Attribute(.experimentID, .integer, "id"),
            Attribute(.name, .text),
            Attribute(.createdAt, .time, "created_at"),
            Attribute(.updatedAt, .time, "updated_at"),
            Attribute(.lifecycle, .text, "lifecycle_stage"),
        ])

    public static let registeredModels = SearchSchema(
        "registered models",
        [
            Attribute(.name, .text),
            Attribute(.description, .text),
            Attribute(.createdAt, .time, "creation_timestamp", "created_at"),
            Attribute(.updatedAt, .time, "timestamp", "last_updated_timestamp", "updated_at"),
        ])

    public static let modelVersions = SearchSchema(
        "model versions",
        [
            Attribute(.name, .text),
            Attribute(.version, .integer, "version"),
            Attribute(.runID, .identifier(prefix: "")),
            Attribute(.source, .text, "source_path"),
            Attribute(.stage, .text, "current_stage"),
            Attribute(.description, .text),
            Attribute(.principal, .text, "user_id"),
            Attribute(.loggedModelID, .identifier(prefix: LoggedModelID.prefix)),
            Attribute(.size, .integer),
            Attribute(.createdAt, .time, "creation_timestamp", "created_at"),
            Attribute(.updatedAt, .time, "last_updated_timestamp", "updated_at"),
        ])

    public static let loggedModels = SearchSchema(
        "logged models", hasMetrics: true, hasParams: true,
        [
            Attribute(.loggedModelID, .identifier(prefix: LoggedModelID.prefix), "id"),
            Attribute(.name, .text),
            Attribute(.modelType, .text),
            Attribute(.status, .text),
            Attribute(.runID, .identifier(prefix: ""), "source_run_id"),
            Attribute(.experimentID, .integer, "experiment"),
            Attribute(.size, .integer),
            Attribute(.createdAt, .time, "creation_timestamp", "created_at"),
            Attribute(.updatedAt, .time, "last_updated_timestamp", "updated_at"),
        ])

    public static let datasets = SearchSchema(
        "datasets", qualifiers: ["dataset", "datasets"],
        [
            Attribute(.name, .text),
            Attribute(.digest, .text),
            Attribute(.context, .text),
            Attribute(.source, .text),
            Attribute(.sourceType, .text),
            Attribute(.size, .integer),
            Attribute(.runID, .identifier(prefix: "")),
        ])
}
