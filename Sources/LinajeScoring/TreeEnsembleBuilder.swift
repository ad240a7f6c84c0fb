import LinajeDomain

/// Makes a `TreeEnsemble` of trees that a file says, and checks them.
///
/// Memory is bounded by `mostNodes` and by what complete trees may add to that.
package struct TreeEnsembleBuilder<Scalar: TreeScalar>: Sendable {
    /// Most values of a row, and most sums.
    package static var mostFeatures: Int { 65_536 }
    package static var mostOutputs: Int { 4_096 }
    /// Most nodes, and most values of leaves, of all trees together.
    package static var mostNodes: Int { 8 << 20 }
    /// Most words of all sets of categories.
    static var mostWords: Int { 4 << 20 }
    /// Deepest tree that is made complete.
    static var mostCompleteDepth: Int { 8 }

    private let name: String
    private var ensemble: TreeEnsemble<Scalar>
    /// Where the sets begin in the words, and how many words they have.
    private var sets: [(first: Int, count: Int)] = []

    /// - Parameters:
    ///   - name: What errors call the file: its path.
    ///   - base: Where the sums begin; one for each output.
    ///   - zeroDistance: Values up to this far from zero count as zero.
    /// - Throws: `invalidArgument` when there are no features or outputs, `limitExceeded` when
    ///   there are too many.
    package init(name: String, features: Int, base: [Scalar], zeroDistance: Double = 0) throws {
        guard features > 0, !base.isEmpty else {
            throw LinajeError(.invalidArgument, "\(name) has trees without features or outputs")
        }
        guard features <= Self.mostFeatures, base.count <= Self.mostOutputs else {
            throw LinajeError(
                .limitExceeded,
                "\(name) has \(features) features and \(base.count) outputs; at most "
                    + "\(Self.mostFeatures) and \(Self.mostOutputs) are scored")
        }
        self.name = name
        ensemble = TreeEnsemble(
            features: features, outputs: base.count, zeroDistance: zeroDistance, base: base)
    }

    /// Adds a set of categories, as bits from the lowest of the first word on.
    ///
    /// - Returns: Its number, for `TreeNode.categories`.
    package mutating func addCategories(_ words: [UInt32]) throws -> Int {
        guard words.count <= Self.mostWords - ensemble.words.count else {
            throw LinajeError(.limitExceeded, "\(name) has too many categories to be scored")
        }
        sets.append((ensemble.words.count, words.count))
        ensemble.words += words
        return sets.count - 1
    }

    /// Adds a tree, whose root is the first node. Nodes that nothing leads to are dropped.
    ///
    /// - Parameters:
    ///   - values: What the leaves add: one value for each leaf, or, without a target, one for
    ///     each leaf and output.
    ///   - target: The output that the leaves add to; `nil`: all of them.
    /// - Throws: `invalidArgument` when an index is out of range or a node has two parents,
    ///   `limitExceeded` when the trees are too large.
    package mutating func add(
        _ nodes: [TreeNode<Scalar>], values: [Scalar], target: Int?
    ) throws {
        let width = target == nil ? ensemble.outputs : 1
        let leaves = values.count / width
        guard values.count == leaves * width, leaves > 0 else {
            throw failure("has a tree with \(values.count) values for its leaves")
        }
        if let target, !(0..<ensemble.outputs).contains(target) {
            throw failure("has a tree for output \(target) of \(ensemble.outputs)")
        }
        let (order, depth) = try order(nodes, leaves: leaves)
        let used = ensemble.splits.count + ensemble.links.count + ensemble.mixed.count
        guard order.count <= Self.mostNodes - used,
            values.count <= Self.mostNodes - ensemble.values.count
        else {
            throw LinajeError(
                .limitExceeded, "\(name) has more than \(Self.mostNodes) nodes to be scored")
        }
        let isPlain = order.allSatisfy { nodes[$0].test == .leaf || nodes[$0].test == .threshold }
        let padded = 1 << min(depth, 30)
        if isPlain, depth <= Self.mostCompleteDepth, padded <= order.count * 2,
            padded * width <= Self.mostNodes - ensemble.values.count,
            padded <= Self.mostNodes - used
        {
            addComplete(nodes, values, depth: depth, width: width, target: target)
        } else if isPlain {
            addLinked(nodes, order, values, width: width, target: target)
        } else {
            addMixed(nodes, order, values, width: width, target: target)
        }
    }

    /// The ensemble of what was added.
    package func finish() -> TreeEnsemble<Scalar> {
        var ensemble = ensemble
        // An empty array may have no address.
        if ensemble.splits.isEmpty { ensemble.splits = [.init(threshold: 0, place: 0)] }
        if ensemble.splitMissing.isEmpty { ensemble.splitMissing = [0] }
        if ensemble.links.isEmpty {
            ensemble.links = [.init(threshold: .nan, place: 0, left: 0)]
            ensemble.linkMissing = [0]
            ensemble.linkValues = [0]
        }
        if ensemble.mixed.isEmpty { ensemble.mixed = [mixedLeaf(0)] }
        if ensemble.words.isEmpty { ensemble.words = [0] }
        if ensemble.values.isEmpty { ensemble.values = [0] }
        return ensemble
    }

    // MARK: Checks

    /// The nodes from the root on, level after level, the children of a node side by side.
    private func order(
        _ nodes: [TreeNode<Scalar>], leaves: Int
    ) throws -> (order: [Int], depth: Int) {
        guard !nodes.isEmpty else { throw failure("has a tree without nodes") }
        var seen = [Bool](repeating: false, count: nodes.count)
        seen[0] = true
        var order = [0]
        var levelEnd = 1
        var depth = 0
        var next = 0
        while next < order.count {
            if next == levelEnd {
                depth += 1
                levelEnd = order.count
            }
            let node = nodes[order[next]]
            next += 1
            if case .leaf = node.test {
                guard (0..<leaves).contains(node.leaf) else {
                    throw failure("has a leaf \(node.leaf) of \(leaves)")
                }
                continue
            }
            guard (0..<ensemble.features).contains(node.feature) else {
                throw failure(
                    "has a split by feature \(node.feature) of \(ensemble.features)")
            }
            if case .categories = node.test, !sets.indices.contains(node.categories) {
                throw failure("has a split by categories that are not there")
            }
            for child in [node.left, node.right] {
                guard nodes.indices.contains(child), !seen[child] else {
                    throw failure("has a tree whose node \(child) is not there or stands twice")
                }
                seen[child] = true
                order.append(child)
            }
        }
        return (order, depth)
    }

    private func failure(_ what: String) -> LinajeError {
        LinajeError(
            .invalidArgument, "\(name) \(what), in tree \(ensemble.trees.count); it is damaged")
    }

    private func place(_ feature: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: feature * TreeEnsemble<Scalar>.rowsPerBlock)
    }

    // MARK: Forms

    /// A leaf above the last level becomes splits that lead to copies of it, either way.
    private mutating func addComplete(
        _ nodes: [TreeNode<Scalar>], _ values: [Scalar], depth: Int, width: Int, target: Int?
    ) {
        ensemble.trees.append(
            .init(
                shape: .complete(depth: depth), first: ensemble.splits.count,
                firstValue: ensemble.values.count, target: target))
        var level = [0]
        for _ in 0..<depth {
            var below: [Int] = []
            below.reserveCapacity(level.count * 2)
            for index in level {
                let node = nodes[index]
                if case .leaf = node.test {
                    ensemble.splits.append(.init(threshold: 0, place: 0))
                    ensemble.splitMissing.append(0)
                    below += [index, index]
                } else {
                    ensemble.splits.append(
                        .init(threshold: node.threshold, place: place(node.feature)))
                    ensemble.splitMissing.append(node.missingRight ? 1 : 0)
                    below += [node.left, node.right]
                }
            }
            level = below
        }
        for index in level {
            let leaf = nodes[index].leaf
            ensemble.values += values[(leaf * width)..<((leaf + 1) * width)]
        }
    }

    private mutating func addLinked(
        _ nodes: [TreeNode<Scalar>], _ order: [Int], _ values: [Scalar], width: Int, target: Int?
    ) {
        let first = ensemble.links.count
        let firstValue = ensemble.values.count
        ensemble.trees.append(
            .init(shape: .linked, first: first, firstValue: firstValue, target: target))
        // Where the children of the next split stand: they come in the order of their parents.
        var children = first + 1
        for (offset, index) in order.enumerated() {
            let node = nodes[index]
            if case .leaf = node.test {
                let own = UInt32(truncatingIfNeeded: first + offset)
                ensemble.links.append(.init(threshold: .nan, place: 0, left: own))
                ensemble.linkMissing.append(0)
                ensemble.linkValues.append(
                    UInt32(truncatingIfNeeded: firstValue + node.leaf * width))
            } else {
                ensemble.links.append(
                    .init(
                        threshold: node.threshold, place: place(node.feature),
                        left: UInt32(truncatingIfNeeded: children)))
                ensemble.linkMissing.append(node.missingRight ? 1 : 0)
                ensemble.linkValues.append(UInt32(truncatingIfNeeded: firstValue))
                children += 2
            }
        }
        ensemble.values += values
    }

    private mutating func addMixed(
        _ nodes: [TreeNode<Scalar>], _ order: [Int], _ values: [Scalar], width: Int, target: Int?
    ) {
        let first = ensemble.mixed.count
        let firstValue = ensemble.values.count
        ensemble.trees.append(
            .init(shape: .mixed, first: first, firstValue: firstValue, target: target))
        var children = first + 1
        for index in order {
            let node = nodes[index]
            var packed = mixedLeaf(firstValue + node.leaf * width)
            if node.test != .leaf {
                packed.test = node.test
                packed.missingRight = node.missingRight
                packed.memberRight = node.memberRight
                packed.cutsNegatives = node.cutsNegatives
                packed.threshold = node.threshold
                packed.place = place(node.feature)
                packed.left = UInt32(truncatingIfNeeded: children)
                packed.value = 0
                children += 2
                if case .categories = node.test {
                    packed.firstWord = UInt32(truncatingIfNeeded: sets[node.categories].first)
                    packed.words = UInt32(truncatingIfNeeded: sets[node.categories].count)
                }
            }
            ensemble.mixed.append(packed)
        }
        ensemble.values += values
    }

    private func mixedLeaf(_ value: Int) -> TreeEnsemble<Scalar>.MixedNode {
        .init(
            test: .leaf, missingRight: false, memberRight: false, cutsNegatives: false,
            threshold: 0, place: 0, left: 0, firstWord: 0, words: 0,
            value: UInt32(truncatingIfNeeded: value))
    }
}
