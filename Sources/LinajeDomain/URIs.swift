/// What a models:/ URI says.
///
/// ```
/// models:/NAME/3            a version
/// models:/NAME/latest       the highest version
/// models:/NAME/Production   the highest version in a stage (any other last part is a stage)
/// models:/NAME@alias        the version an alias points at (split at the last "@")
/// models:/m-ID              a logged model
/// ```
/// The grammar is MLflow's (mlflow/store/artifact/utils/models.py).
public enum ModelURI: Sendable, Hashable, CustomStringConvertible {
    case version(name: String, version: UInt64)
    case latest(name: String)
    case stage(name: String, stage: Stage)
    case alias(name: String, alias: String)
    case loggedModel(LoggedModelID)

    /// - Throws: `invalidArgument` with the forms that exist.
    public init(parsing text: String) throws {
        guard text.hasPrefix("models:/"), !text.hasPrefix("models://") else {
            throw ModelURI.malformed(text)
        }
        let path = text.dropFirst("models:/".count)
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        switch parts.count {
        case 1:
            if let at = path.lastIndex(of: "@") {
                self = .alias(
                    name: try Names.registeredModel(String(path[..<at])),
                    alias: try Names.alias(String(path[path.index(after: at)...])))
            } else if let id = try? LoggedModelID(parsing: path) {
                self = .loggedModel(id)
            } else if let name = try? Names.registeredModel(String(path)) {
                throw LinajeError(
                    .invalidArgument,
                    "models:/\(name) names no version; use models:/\(name)/3, models:/\(name)/latest, "
                        + "models:/\(name)/Production or models:/\(name)@alias")
            } else {
                throw ModelURI.malformed(text)
            }
        case 2:
            let name = try Names.registeredModel(String(parts[0]))
            let last = String(parts[1])
            if !last.isEmpty, last.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
                guard let version = UInt64(last), version > 0 else {
                    throw LinajeError(
                        .invalidArgument, "version \"\(last.prefix(40))\" of \(name) is no version")
                }
                self = .version(name: name, version: version)
            } else if last.lowercased() == "latest" {
                self = .latest(name: name)
            } else {
                self = .stage(name: name, stage: try Stage(parsing: last))
            }
        default: throw ModelURI.malformed(text)
        }
    }

    public var description: String {
        switch self {
        case .version(let name, let version): "models:/\(name)/\(version)"
        case .latest(let name): "models:/\(name)/latest"
        case .stage(let name, let stage): "models:/\(name)/\(stage.rawValue)"
        case .alias(let name, let alias): "models:/\(name)@\(alias)"
        case .loggedModel(let id): "models:/\(id)"
        }
    }

    private static func malformed(_ text: String) -> LinajeError {
        LinajeError(
            .invalidArgument,
            "\"\(text.prefix(200))\" is no models:/ URI; use models:/NAME/3, models:/NAME/latest, "
                + "models:/NAME/Production, models:/NAME@alias or models:/m-ID")
    }
}

/// What a source URI of content says: where a model version or a listing comes from.
public enum ContentURI: Sendable, Hashable, CustomStringConvertible {
    /// runs:/ID/path; the path is `nil` for all artifacts of the run.
    case run(RunID, path: TreePath?)
    /// models:/…
    case model(ModelURI)
    /// tree:sha256:HEX
    case tree(SHA256Digest)

    /// - Throws: `invalidArgument` with the forms that exist, `invalidPath` for a bad path.
    public init(parsing text: String) throws {
        if text.hasPrefix("runs:/"), !text.hasPrefix("runs://") {
            let rest = text.dropFirst("runs:/".count)
            let slash = rest.firstIndex(of: "/")
            let id = try RunID(parsing: rest[..<(slash ?? rest.endIndex)])
            let path = slash.map { String(rest[rest.index(after: $0)...]) } ?? ""
            self = .run(id, path: try TreePath.orRoot(path))
        } else if text.hasPrefix("models:/") {
            self = .model(try ModelURI(parsing: text))
        } else if text.hasPrefix("tree:sha256:"),
            let digest = SHA256Digest(hex: text.dropFirst("tree:sha256:".count))
        {
            self = .tree(digest)
        } else {
            throw LinajeError(
                .invalidArgument,
                "\"\(text.prefix(200))\" names no content; use runs:/ID/path, models:/NAME/3, "
                    + "models:/m-ID or tree:sha256:HEX")
        }
    }

    public var description: String {
        switch self {
        case .run(let id, let path): path.map { "runs:/\(id)/\($0)" } ?? "runs:/\(id)"
        case .model(let uri): uri.description
        case .tree(let digest): "tree:sha256:\(digest)"
        }
    }
}
