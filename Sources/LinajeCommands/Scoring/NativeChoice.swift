import LinajeDomain

/// What of a model a flavor may score without its library.
///
/// A folder without an MLmodel is what its files are. An MLmodel says which library loads which file,
/// and with what: around a model that a flavor computes Python may have put a program that does more,
/// and beside it may lie a file that is none of the model.
enum NativeChoice: Equatable {
    /// Whatever flavor knows the files.
    case any
    /// This flavor, from these files only.
    case only(flavor: String, files: Set<String>)
    /// None, for this reason.
    case none(String)

    private static let mlmodel = "MLmodel"

    /// - Parameter paths: The files of the model.
    init(_ description: ModelDescription, schema: InputSchema?, paths: Set<String>) {
        if let obstacle = ColumnPlan.obstacle(schema) {
            self = .none(obstacle)
        } else if paths.contains(Self.mlmodel) {
            self = Self.named(description.flavors, paths)
        } else {
            self = .any
        }
    }

    /// What an MLmodel names.
    private static func named(
        _ flavors: [FlavorDescription], _ paths: Set<String>
    ) -> NativeChoice {
        guard let generic = flavors.first(where: { $0.name == "python_function" })?.facts else {
            return .none("its MLmodel has no flavor python_function that says what loads it")
        }
        guard let loader = generic["loader_module"] else {
            return .none("its MLmodel does not say which loader_module loads it")
        }
        let library = "mlflow."
        guard loader.hasPrefix(library) else {
            return .none("its MLmodel says that \(loader.prefix(80)) loads it")
        }
        let flavor = String(loader.dropFirst(library.count))
        let facts = flavors.first { $0.name == flavor }?.facts ?? [:]
        // What MLflow's loaders go by is the flavor's own word, or the generic one's.
        let files = Set([facts["data"], generic["data"]].compactMap(\.self))
        guard let file = files.first, files.count == 1, paths.contains(file) else {
            return .none(
                "its MLmodel says that \(loader.prefix(80)) loads it, and names no one file (data) that is there"
            )
        }
        // LightGBM's estimators are pickles, whatever lies beside them.
        if flavor == "lightgbm", let kind = facts["model_class"], !kind.hasSuffix(".Booster") {
            return .none("its MLmodel says that it is a \(kind.prefix(80))")
        }
        return .only(flavor: flavor, files: [file, mlmodel])
    }
}
