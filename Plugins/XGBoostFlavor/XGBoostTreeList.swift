import LinajeDomain
import LinajeScoring

/// The trees of a model while it is read, bounded.
struct XGBoostTreeList {
    /// Most nodes of all trees together.
    static let mostNodes = TreeEnsembleBuilder<Float>.mostNodes

    /// The trees; `nil`: they are not kept.
    private(set) var trees: [XGBoostTree]?
    private var nodes = 0
    /// Whether a tree came for which there is no place.
    private(set) var isFull = false

    init(trees: [XGBoostTree]?) { self.trees = trees }

    /// - Throws: `limitExceeded` when there are too many nodes to be scored.
    mutating func append(_ tree: XGBoostTree) throws {
        guard trees != nil else { return }
        guard tree.count <= Self.mostNodes - nodes else {
            isFull = true
            throw LinajeError(
                .limitExceeded, "trees of more than \(Self.mostNodes) nodes are not scored here")
        }
        nodes += tree.count
        trees?.append(tree)
    }
}
