/// Sums of decision trees over rows: one kernel for XGBoost, LightGBM and ONNX.
///
/// Made by `TreeEnsembleBuilder`, which checks all that the walks rely on: every index that is
/// stored here is in range, every walk ends. Whatever the rows are, nothing traps.
///
/// A block of rows stands feature after feature, so that the values of eight rows that walk
/// together have one base address, and goes through one tree after the other: the block stays in
/// the first cache, and each tree is fetched once for the whole block.
package struct TreeEnsemble<Scalar: TreeScalar>: Sendable {
    /// Rows that go through the trees together.
    static var rowsPerBlock: Int { 128 }
    /// Rows whose walks are interleaved, so that the processor waits for all of them at once.
    static var lanes: Int { 8 }

    /// A split of a tree whose nodes stand as in a heap: below node `i` are `2i+1` and `2i+2`.
    struct Split: Sendable {
        var threshold: Scalar
        /// Where the feature's values begin in a block.
        var place: UInt32
    }

    /// A node of any tree of thresholds. The right child stands after the left one; a leaf is its
    /// own left child and never goes right.
    struct Link: Sendable {
        var threshold: Scalar
        var place: UInt32
        var left: UInt32
    }

    /// A node of a tree that tests more than thresholds.
    struct MixedNode: Sendable {
        var test: TreeNode<Scalar>.Test
        var missingRight: Bool
        var memberRight: Bool
        var cutsNegatives: Bool
        var threshold: Scalar
        var place: UInt32
        var left: UInt32
        /// The words of its set.
        var firstWord: UInt32
        var words: UInt32
        var value: UInt32
    }

    enum Shape: Sendable {
        case complete(depth: Int)
        case linked
        case mixed
    }

    struct Tree: Sendable {
        var shape: Shape
        /// Its first node in `splits`, `links` or `mixed`.
        var first: Int
        /// Its first leaf in `values`, of a complete tree.
        var firstValue: Int
        /// The sum that its leaves add to; `nil`: a value for each.
        var target: Int?
    }

    /// How many values a row has, and how many sums come out.
    package let features: Int
    package let outputs: Int
    /// Values up to this far from zero count as zero.
    let zeroDistance: Double
    /// Where the sums begin.
    package var base: [Scalar]
    var trees: [Tree] = []
    var splits: [Split] = []
    /// For each of `splits`: 1 where a missing value goes right.
    var splitMissing: [UInt8] = []
    var links: [Link] = []
    var linkMissing: [UInt8] = []
    /// For each of `links` that is a leaf: where its value is.
    var linkValues: [UInt32] = []
    var mixed: [MixedNode] = []
    /// Sets of categories as bits.
    var words: [UInt32] = []
    var values: [Scalar] = []

    /// How many trees there are.
    package var count: Int { trees.count }
}

extension TreeEnsemble where Scalar == Float {
    /// The sums of rows, row after row. What is left over of `rows` after the last whole row is
    /// not looked at.
    package func sums(_ rows: [Double]) -> [Float] { blocks(rows) }
}

extension TreeEnsemble where Scalar == Double {
    /// The sums of rows, row after row. What is left over of `rows` after the last whole row is
    /// not looked at.
    package func sums(_ rows: [Double]) -> [Double] { blocks(rows) }
}

extension TreeEnsemble {
    @inline(__always)
    private func blocks(_ rows: [Double]) -> [Scalar] {
        let count = features > 0 ? rows.count / features : 0
        guard count > 0, outputs > 0 else { return [] }
        var out = [Scalar](repeating: 0, count: count * outputs)
        out.withUnsafeMutableBufferPointer { out in
            rows.withUnsafeBufferPointer { rows in
                withViews { views in
                    if let rows = rows.baseAddress, let out = out.baseAddress {
                        all(rows, count: count, views: views, into: out)
                    }
                }
            }
        }
        return out
    }

    @inline(__always)
    private func all(
        _ rows: UnsafePointer<Double>, count: Int, views: Views,
        into out: UnsafeMutablePointer<Scalar>
    ) {
        let size = Self.rowsPerBlock
        let block = UnsafeMutablePointer<Scalar>.allocate(capacity: features * size)
        let sums = UnsafeMutablePointer<Scalar>.allocate(capacity: outputs * size)
        let found = UnsafeMutablePointer<UInt32>.allocate(capacity: size)
        defer {
            block.deallocate()
            sums.deallocate()
            found.deallocate()
        }
        block.initialize(repeating: 0, count: features * size)
        found.initialize(repeating: 0, count: size)
        var start = 0
        while start < count {
            let here = min(size, count - start)
            let hasMissing = fill(block, from: rows + start * features, count: here)
            for output in 0..<outputs {
                (sums + output * size).initialize(repeating: base[output], count: size)
            }
            for tree in trees {
                walk(tree, block, count: here, hasMissing: hasMissing, views, found)
                add(tree, found, count: here, views, sums)
            }
            for row in 0..<here {
                for output in 0..<outputs {
                    out[(start + row) * outputs + output] = sums[output * size + row]
                }
            }
            start += here
        }
    }

    /// Puts rows into a block, feature after feature, and says whether a value is missing.
    @inline(__always)
    private func fill(
        _ block: UnsafeMutablePointer<Scalar>, from rows: UnsafePointer<Double>, count: Int
    ) -> Bool {
        var hasMissing = false
        for row in 0..<count {
            let values = rows + row * features
            for feature in 0..<features {
                var value = values[feature]
                if abs(value) <= zeroDistance { value = 0 }
                hasMissing = hasMissing || value != value
                block[feature &* Self.rowsPerBlock &+ row] = Scalar(value)
            }
        }
        return hasMissing
    }

    /// Adds the values that were found to the sums.
    @inline(__always)
    private func add(
        _ tree: Tree, _ found: UnsafeMutablePointer<UInt32>, count: Int, _ views: Views,
        _ sums: UnsafeMutablePointer<Scalar>
    ) {
        if let target = tree.target {
            let sums = sums + target * Self.rowsPerBlock
            for row in 0..<count { sums[row] += views.values[Int(found[row])] }
            return
        }
        for row in 0..<count {
            let leaf = views.values + Int(found[row])
            for output in 0..<outputs {
                sums[output &* Self.rowsPerBlock &+ row] += leaf[output]
            }
        }
    }
}
