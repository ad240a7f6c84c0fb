import LinajeDomain

extension ContentURI {
    /// What a folder is called that gets this content where nobody says: one name, never a path.
    ///
    /// ```
    /// models:/iris/1          iris-1
    /// models:/iris@champion   iris-champion
    /// models:/m-ID            m-ID
    /// runs:/ID/a/model        model
    /// runs:/ID                ID
    /// tree:sha256:HEX         its first 12 digits
    /// ```
    var localName: String {
        switch self {
        case .run(let id, let path): path.map { LocalTree.baseName($0.text) } ?? "\(id)"
        case .model(.version(let name, let version)): "\(name)-\(version)"
        case .model(.latest(let name)): "\(name)-latest"
        case .model(.stage(let name, let stage)): "\(name)-\(stage.rawValue)"
        case .model(.alias(let name, let alias)): "\(name)-\(alias)"
        case .model(.loggedModel(let id)): "\(id)"
        case .tree(let digest): String("\(digest)".prefix(12))
        }
    }
}
