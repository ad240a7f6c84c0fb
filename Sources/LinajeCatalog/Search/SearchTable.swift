import LinajeDomain
import LinajePluginKit

/// Where the objects of a search stand, and their facts.
struct SearchTable {
    /// An attribute as a part of a statement.
    struct Column {
        var expression: String
        var kind: SearchKind
        var isNullable = false
        /// Texts without a bound that fits into a page token: lists order by their beginnings.
        var isLong = false
        /// A condition around a test, where the fact stands in another table; "{}" is the test on
        /// `inner`.
        var around: (condition: String, inner: String)?
    }

    let schema: SearchSchema
    let name: String
    let list: PageToken.List
    /// The order when none is asked for, and among equals.
    let ties: [(attribute: String, isDescending: Bool)]
    let tags: TagTable
    let params: ParamTable?
    let metrics: MetricTable?

    var id: String { "\(name).id" }

    static let runs = SearchTable(
        schema: .runs, name: "runs", list: .runs,
        ties: [("runs.started_at_us", true), ("runs.id", true)], tags: .runs, params: .runs,
        metrics: .runs)
    static let experiments = SearchTable(
        schema: .experiments, name: "experiments", list: .experiments,
        ties: [("experiments.id", true)], tags: .experiments, params: nil,
        metrics: nil)
    static let registeredModels = SearchTable(
        schema: .registeredModels, name: "registered_models", list: .registeredModels,
        ties: [("registered_models.name", false)], tags: .registeredModels, params: nil,
        metrics: nil)
    static let modelVersions = SearchTable(
        schema: .modelVersions, name: "model_versions", list: .modelVersions,
        ties: [("model_versions.id", true)], tags: .modelVersions, params: nil,
        metrics: nil)
    static let loggedModels = SearchTable(
        schema: .loggedModels, name: "logged_models", list: .loggedModels,
        ties: [("logged_models.created_at_us", true), ("logged_models.id", true)],
        tags: .loggedModels, params: .loggedModels, metrics: .loggedModels)
    static let datasets = SearchTable(
        schema: .datasets, name: "run_datasets", list: .datasets,
        ties: [("run_datasets.id", true)], tags: .datasets, params: nil, metrics: nil)

    /// The column of an attribute that the schema has.
    func column(_ attribute: SearchAttribute, _ dialect: SQLDialect) -> Column? {
        guard let kind = schema.kind(of: .attribute(attribute)) else { return nil }
        func column(_ name: String, nullable: Bool = false, long: Bool = false) -> Column {
            Column(
                expression: "\(self.name).\(name)", kind: kind, isNullable: nullable,
                isLong: long)
        }
        switch attribute {
        case .artifactURI:
            let hex = dialect.hexadecimal.replacing("{}", with: id)
            return Column(expression: "('runs:/' || \(hex))", kind: kind)
        case .context: return column("context")
        case .createdAt: return column("created_at_us")
        case .description: return column("description", long: true)
        case .digest:
            return Column(expression: Self.digest(name), kind: kind)
        case .endedAt: return column("ended_at_us", nullable: true)
        case .endedCause: return column("ended_cause", long: true)
        case .experimentID: return column(name == "experiments" ? "id" : "experiment_id")
        case .lifecycle: return column("lifecycle")
        case .loggedModelID:
            return name == "logged_models"
                ? column("id") : column("logged_model_id", nullable: true)
        case .modelType: return column("model_type", long: true)
        case .name where name == "model_versions":
            return Column(
                expression: "(SELECT m.name FROM registered_models m "
                    + "WHERE m.id = model_versions.model_id)",
                kind: kind,
                around: (
                    "model_versions.model_id IN (SELECT m.id FROM registered_models m WHERE {})",
                    "m.name"
                ))
        case .name: return column("name")
        case .parentID: return column("parent_id", nullable: true)
        case .principal: return column("principal")
        case .runID where name == "runs": return column("id")
        case .runID: return column("run_id", nullable: name != "run_datasets")
        case .size: return column("size")
        case .source: return column("source", long: true)
        case .sourceType: return column("source_type")
        case .stage: return column("stage")
        case .startedAt: return column("started_at_us")
        case .status: return column("status")
        case .updatedAt: return column("updated_at_us")
        case .user: return column("user_name", long: true)
        case .version: return column("version")
        }
    }

    /// The digest text of a data set in the table or alias: the client's own, else the first.
    static func digest(_ table: String) -> String {
        "CASE WHEN \(table).client_digest <> '' THEN \(table).client_digest "
            + "ELSE \(table).identity END"
    }

    /// The column of a fact of the data sets in an alias.
    static func column(_ attribute: DatasetAttribute, of alias: String) -> String {
        attribute == .digest ? digest(alias) : "\(alias).\(attribute.rawValue)"
    }

    /// Characters of a text that lists are ordered by, and that its index holds.
    static let orderedCharacters = 200

    /// The beginning of a text, as the indexes have it.
    static func beginning(_ column: String) -> String {
        "substr(\(column), 1, \(orderedCharacters))"
    }
}
