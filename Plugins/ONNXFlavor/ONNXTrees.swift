import LinajeDomain
import LinajeScoring

/// The trees of a TreeEnsembleRegressor or TreeEnsembleClassifier, whose nodes stand in columns
/// (onnx/onnx, `docs/Operators-ml.md`).
struct ONNXTrees {
    /// The attributes that are understood.
    static let attributes: Set<String> = [
        "base_values", "nodes_falsenodeids", "nodes_featureids", "nodes_hitrates",
        "nodes_missing_value_tracks_true", "nodes_modes", "nodes_nodeids", "nodes_treeids",
        "nodes_truenodeids", "nodes_values", "post_transform",
    ]

    /// A node by its names.
    private struct Place: Hashable {
        var tree: Int64
        var node: Int64
    }

    /// What a leaf adds to an output.
    private struct Weight {
        var target: Int
        var value: Float
    }

    private let node: ONNXGraph.Node
    private let path: String
    /// "target" or "class": what the columns of the leaves begin with.
    private let prefix: String

    init(_ node: ONNXGraph.Node, prefix: String, path: String) {
        self.node = node
        self.prefix = prefix
        self.path = path
    }

    /// What the leaves' outputs are.
    var targets: [Int64] { node.integers("\(prefix)_ids") }
    var weights: [Float] { node.floats("\(prefix)_weights") }

    /// - Parameters:
    ///   - ids: The output of each weight.
    ///   - base: Where the sums begin.
    /// - Returns: The trees, and the outputs that no row is without: each has a tree all of whose
    ///   leaves have a weight for it.
    /// - Throws: `Unknown` for tests that are not known, `invalidArgument` when it is damaged,
    ///   `limitExceeded` when it is too large.
    func ensemble(
        features: Int, ids: [Int], base: [Float]
    ) throws -> (trees: TreeEnsemble<Float>, scored: Set<Int>) {
        let trees = node.integers("nodes_treeids")
        let names = node.integers("nodes_nodeids")
        let modes = node.texts("nodes_modes")
        guard names.count == trees.count, modes.count == trees.count, !trees.isEmpty else {
            throw damaged()
        }
        var order: [Int64] = []
        var members: [Int64: [Int]] = [:]
        for (index, tree) in trees.enumerated() {
            if members[tree] == nil { order.append(tree) }
            members[tree, default: []].append(index)
        }
        let leaves = try leafWeights(ids, outputs: base.count)
        var builder = try TreeEnsembleBuilder<Float>(name: path, features: features, base: base)
        var scored: Set<Int> = []
        for tree in order {
            scored.formUnion(
                try add(members[tree] ?? [], leaves, outputs: base.count, to: &builder))
        }
        return (builder.finish(), scored)
    }

    private func leafWeights(_ ids: [Int], outputs: Int) throws -> [Place: [Weight]] {
        let trees = node.integers("\(prefix)_treeids")
        let nodes = node.integers("\(prefix)_nodeids")
        let values = weights
        guard trees.count == ids.count, nodes.count == ids.count, values.count == ids.count,
            ids.allSatisfy({ (0..<outputs).contains($0) })
        else { throw damaged() }
        var found: [Place: [Weight]] = [:]
        for index in ids.indices {
            found[Place(tree: trees[index], node: nodes[index]), default: []]
                .append(Weight(target: ids[index], value: values[index]))
        }
        return found
    }

    /// Adds a tree, the first of whose nodes must be its root.
    ///
    /// - Returns: The outputs for which all its leaves have a weight.
    private func add(
        _ members: [Int], _ weights: [Place: [Weight]], outputs: Int,
        to builder: inout TreeEnsembleBuilder<Float>
    ) throws -> Set<Int> {
        let trees = node.integers("nodes_treeids")
        let names = node.integers("nodes_nodeids")
        let modes = node.texts("nodes_modes")
        var places: [Int64: Int] = [:]
        for (place, member) in members.enumerated() {
            guard places.updateValue(place, forKey: names[member]) == nil else { throw damaged() }
        }
        let own = members.map { weights[Place(tree: trees[$0], node: names[$0])] ?? [] }
        let targets = Set(own.joined().map(\.target))
        let target = outputs == 1 ? 0 : targets.count == 1 ? targets.first : nil
        let width = target == nil ? outputs : 1
        // A leaf costs a value for every output, however small the file is.
        let leaves = members.count { modes[$0] == "LEAF" }
        let (size, overflow) = leaves.multipliedReportingOverflow(by: width)
        guard !overflow, size <= TreeEnsembleBuilder<Float>.mostNodes else {
            throw LinajeError(.limitExceeded, "\(path) has too many leaves to be scored")
        }
        var scored = targets
        var values: [Float] = []
        var nodes: [TreeNode<Float>] = []
        var children = Set<Int>()
        for (place, member) in members.enumerated() {
            guard modes[member] != "LEAF" else {
                nodes.append(TreeNode(leaf: values.count / width))
                var sums = [Float](repeating: 0, count: width)
                for weight in own[place] { sums[width == 1 ? 0 : weight.target] += weight.value }
                values += sums
                scored.formIntersection(own[place].map(\.target))
                continue
            }
            let node = try split(member, places)
            nodes.append(node)
            children.formUnion([node.left, node.right])
        }
        // ONNX Runtime finds the root elsewhere too, and other forms than trees.
        guard !children.contains(0), children.count == nodes.count - 1 else {
            throw ONNXCompiler.Unknown()
        }
        try builder.add(nodes, values: values, target: target)
        return scored
    }

    /// A split; the child for which the test is true is left of `<` and right of `>`.
    private func split(_ index: Int, _ places: [Int64: Int]) throws -> TreeNode<Float> {
        let values = node.floats("nodes_values")
        let (yes, no) = (node.integers("nodes_truenodeids"), node.integers("nodes_falsenodeids"))
        let features = node.integers("nodes_featureids")
        let tracks = node.integers("nodes_missing_value_tracks_true")
        guard values.indices.contains(index), yes.indices.contains(index),
            no.indices.contains(index), features.indices.contains(index),
            tracks.isEmpty || tracks.indices.contains(index), let whenTrue = places[yes[index]],
            let whenFalse = places[no[index]], let feature = Int(exactly: features[index])
        else { throw damaged() }
        let value = values[index]
        // NaN is on no side of a comparison: then the test is false.
        let isMissingTrue = !tracks.isEmpty && tracks[index] != 0
        guard !value.isNaN else { throw ONNXCompiler.Unknown() }
        let threshold: Float
        let isTrueLeft: Bool
        switch node.texts("nodes_modes")[index] {
        case "BRANCH_LEQ": (threshold, isTrueLeft) = (TreeNode<Float>.threshold(above: value), true)
        case "BRANCH_LT": (threshold, isTrueLeft) = (value, true)
        case "BRANCH_GTE": (threshold, isTrueLeft) = (value, false)
        case "BRANCH_GT": (threshold, isTrueLeft) = (TreeNode<Float>.threshold(above: value), false)
        default: throw ONNXCompiler.Unknown()
        }
        var split = TreeNode<Float>(
            .threshold, feature: feature, left: isTrueLeft ? whenTrue : whenFalse,
            right: isTrueLeft ? whenFalse : whenTrue)
        split.threshold = threshold
        split.missingRight = isMissingTrue != isTrueLeft
        return split
    }

    private func damaged() -> LinajeError {
        LinajeError(.invalidArgument, "\(path) has a \(node.kind) whose trees are damaged")
    }
}
