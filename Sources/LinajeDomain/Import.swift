/// Something that comes from another daemon.
public struct ImportObject: Sendable, Hashable {
    /// What it is.
    public enum Content: Sendable, Hashable {
        /// A run that has ended, with the tree of its artifacts and the digest of its points.
        case run(Run, tree: SHA256Digest?, points: SHA256Digest?)
        case registeredModel(RegisteredModel)
        case version(ModelVersion)
        case loggedModel(LoggedModel)
    }

    public var content: Content
    /// Of a run or a logged model: the name of its experiment.
    public var experiment: String

    public init(_ content: Content, experiment: String = "") {
        self.content = content
        self.experiment = experiment
    }

    /// The tree that it needs.
    public var tree: SHA256Digest? {
        switch content {
        case .run(_, let tree, _): tree
        case .registeredModel: nil
        case .version(let version): version.tree
        case .loggedModel(let model): model.tree
        }
    }
}

/// What became of an object that was imported.
public struct ImportedObject: Sendable, Hashable {
    public enum Outcome: String, Sendable, Hashable {
        case created, known, different, renumbered
    }

    /// What it is called here: "run 0ab…", "models:/iris/3".
    public var name: String
    public var outcome: Outcome
    /// Of a run: whether its points are to be sent.
    public var takesPoints: Bool

    public init(name: String, outcome: Outcome, takesPoints: Bool = false) {
        self.name = name
        self.outcome = outcome
        self.takesPoints = takesPoints
    }
}
