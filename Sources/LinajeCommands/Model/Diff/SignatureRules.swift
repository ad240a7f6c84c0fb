/// What MLflow's enforcement takes for what (MLflow 3, `models/utils.py`; docs/signatures.md,
/// "Enforced"): a value is converted where every value of its type has its equal in the wanted one.
enum SignatureRules {
    /// Besides its own, whose columns a type takes.
    private static let wider: [String: Set<String>] = [
        "long": ["integer"], "double": ["integer", "float"], "binary": ["string"],
    ]
    /// The same of params, where whole numbers are taken for floating-point.
    private static let widerParams: [String: Set<String>] = [
        "long": ["integer"], "float": ["integer", "long"], "double": ["integer", "long", "float"],
    ]

    /// Whether all that `found` may hold is taken where `wanted` stands.
    static func takes(_ wanted: SchemaType, _ found: SchemaType, isParam: Bool = false) -> Bool {
        switch (wanted, found) {
        case (.any, _): true
        case (.scalar(let wanted), .scalar(let found)):
            wanted == found || (isParam ? widerParams : wider)[wanted]?.contains(found) == true
        case (.array(let wanted), .array(let found)), (.map(let wanted), .map(let found)):
            takes(wanted, found, isParam: isParam)
        case (.object(let wanted), .object(let found)): takes(wanted, found)
        default: false
        }
    }

    /// Properties that an object does not know are refused, unlike columns.
    private static func takes(_ wanted: [SchemaColumn], _ found: [SchemaColumn]) -> Bool {
        let known = Dictionary(
            found.map { ($0.name ?? "", $0) }, uniquingKeysWith: { first, _ in first })
        let names = Set(wanted.map { $0.name ?? "" })
        return found.allSatisfy { names.contains($0.name ?? "") }
            && wanted.allSatisfy { property in
                guard let own = known[property.name ?? ""] else { return !property.isRequired }
                return takes(property.type, own.type) && (own.isRequired || !property.isRequired)
            }
    }

    /// Whether every tensor of one kind is taken where the other stands.
    static func takes(_ wanted: SchemaTensor, _ found: SchemaTensor) -> Bool {
        wanted.dtype == found.dtype && wanted.shape.count == found.shape.count
            && zip(wanted.shape, found.shape).allSatisfy { $0 == -1 || $0 == $1 }
    }
}
