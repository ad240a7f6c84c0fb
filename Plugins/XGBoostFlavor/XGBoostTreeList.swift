import LinajeDomain
import LinajeScoring

/// The trees of a model while it is read, bounded.
struct XGBoostTreeList {
    /// Most nodes of all trees together, by the longest column of each.
    static let mostNodes = TreeEnsembleBuilder<Float>.mostNodes

    /// The trees; `nil`: they are not kept.
    private(set) var trees: [XGBoostTree]?
    /// How many nodes more there may be.
    private var left: Int
    /// Whether a tree came for which there is no place.
    private(set) var isFull = false

    init(trees: [XGBoostTree]?, limit: Int = Self.mostNodes) {
        self.trees = trees
        left = limit
    }

    /// - Throws: `limitExceeded` when there are too many nodes to be scored.
    mutating func append(_ tree: XGBoostTree) throws {
        guard trees != nil else { return }
        guard tree.longest <= left else {
            isFull = true
            throw LinajeError(
                .limitExceeded, "trees of more than \(Self.mostNodes) nodes are not scored here")
        }
        left -= tree.longest
        trees?.append(tree)
    }
}
