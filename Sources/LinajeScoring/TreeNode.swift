/// A number type that trees compare and add in, as the library that made them does.
package protocol TreeScalar: BinaryFloatingPoint, BitwiseCopyable, Sendable {
    init(_ value: Double)
}

extension Float: TreeScalar {}
extension Double: TreeScalar {}

/// A node of a tree as a model file says it, before it is checked (`TreeEnsembleBuilder.add`).
package struct TreeNode<Scalar: TreeScalar>: Sendable {
    /// What is asked of the feature.
    package enum Test: Sendable {
        /// Nothing: the walk ends here.
        case leaf
        /// Right when the value is `threshold` or more.
        case threshold
        /// The same, but zero is missing too.
        case thresholdOrZero
        /// Whether the value, cut to a whole number, is in a set.
        case categories
    }

    package var test: Test
    package var feature = 0
    package var threshold: Scalar = 0
    /// Where a missing value (NaN) goes.
    package var missingRight = false
    package var left = 0
    package var right = 0
    /// The set that `TreeEnsembleBuilder.addCategories` gave.
    package var categories = 0
    /// Whether what is in the set goes right, and everything else left; or the other way round.
    package var memberRight = false
    /// Whether values above -1 and below 0 are cut to 0, as C does; else they are in no set.
    package var cutsNegatives = false
    /// The number of the leaf in the values of its tree.
    package var leaf = 0

    /// A leaf.
    package init(leaf: Int) {
        test = .leaf
        self.leaf = leaf
    }

    /// A split.
    package init(_ test: Test, feature: Int, left: Int, right: Int) {
        self.test = test
        self.feature = feature
        self.left = left
        self.right = right
    }

    /// The threshold of a test that goes left up to and with `limit`: no number lies between it and
    /// `limit`. NaN, which no number reaches, where all go left.
    package static func threshold(above limit: Scalar) -> Scalar {
        limit == .infinity ? .nan : limit.nextUp
    }

    /// The threshold of a test that goes left below `limit`; all go right of NaN, which is never
    /// above anything.
    package static func threshold(at limit: Scalar) -> Scalar {
        limit.isNaN ? -.infinity : limit
    }
}
