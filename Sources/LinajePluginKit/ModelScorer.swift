/// A model that scores rows of numbers as the library that made it would.
///
/// It is made from untrusted files by `ModelFlavor.scorer(for:)`, which checks everything that
/// `score` relies on: `score` never traps, whatever the rows are. Its methods may be called from
/// any task at the same time.
public protocol ModelScorer: Sendable {
    /// What a row is, and what comes out for it.
    var layout: ScorerLayout { get }

    /// Scores rows.
    ///
    /// - Parameter rows: Row after row, `layout.features.count` values each; NaN is a missing value.
    /// - Returns: Row after row, `layout.width` values each: the outputs in their order.
    /// - Throws: `invalidArgument` when the count is no multiple of the features, or the model has
    ///   no answer for a value.
    func score(_ rows: [Double]) throws -> [Double]
}

/// The columns of a scorer.
public struct ScorerLayout: Sendable, Hashable {
    /// Names of the features in the order of a row: the model's own, or "f0", "f1", … where it
    /// names none.
    public var features: [String]
    /// Whether the model names its features: columns are then found by name, else by position.
    public var hasNames: Bool
    /// What comes out, the answer of the library's `predict` first.
    public var outputs: [ScorerOutput]

    public init(features: [String], hasNames: Bool, outputs: [ScorerOutput]) {
        self.features = features
        self.hasNames = hasNames
        self.outputs = outputs
    }

    /// Values that come out for a row.
    public var width: Int { outputs.reduce(0) { $0 + $1.width } }
}

/// One output of a scorer: a number for each row, or a vector of them.
public struct ScorerOutput: Sendable, Hashable {
    /// How its values are written: a scorer gives all of them as `Double`.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case float32, float64, int64, boolean
        /// An index into `labels`.
        case label
    }

    /// Its name: "predict" unless the model has a better one.
    public var name: String
    /// Values for a row; a row of a vector of one value is still a vector.
    public var width: Int
    /// Whether a row is a vector and not one number.
    public var isVector: Bool
    public var kind: Kind
    /// What the values of kind `label` mean.
    public var labels: [String]

    public init(
        name: String = "predict", width: Int = 1, isVector: Bool = false, kind: Kind = .float64,
        labels: [String] = []
    ) {
        self.name = name
        self.width = width
        self.isVector = isVector
        self.kind = kind
        self.labels = labels
    }
}
