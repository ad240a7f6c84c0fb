import LinajeDomain
import LinajeScoring

/// A tree of an XGBoost model as its columns (dmlc/xgboost, `doc/model.schema`), in few bytes: all
/// trees are kept until what stands after them is read.
struct XGBoostTree {
    /// The columns that scoring needs.
    static let keys: Set<String> = [
        "left_children", "right_children", "split_indices", "split_conditions", "default_left",
        "split_type", "categories", "categories_nodes", "categories_segments", "categories_sizes",
    ]

    private var left: [Int32] = []
    private var right: [Int32] = []
    private var features: [Int32] = []
    /// Where a split cuts, or what a leaf adds.
    private var conditions: [Float] = []
    private var goesLeft: [Bool] = []
    /// Categories by node, and where they begin in the list of all.
    private var isCategorical: [Bool] = []
    private var categories: [Int32] = []
    private var categoryNodes: [Int32] = []
    private var categoryFirsts: [Int32] = []
    private var categoryCounts: [Int32] = []
    /// How many values a leaf has; one but for trees with several targets.
    var leafWidth: Int64 = 1

    /// How long the longest of its columns is: as many as it has nodes, or as their categories.
    private(set) var longest = 0

    /// Takes a column.
    ///
    /// - Returns: Whether its numbers are what they must be.
    mutating func take(_ key: String, _ numbers: [Double]) -> Bool {
        longest = max(longest, numbers.count)
        if key == "split_conditions" {
            conditions = numbers.map { Float($0) }
            return true
        }
        var whole: [Int32] = []
        whole.reserveCapacity(numbers.count)
        for number in numbers {
            guard let value = Int32(exactly: number) else { return false }
            whole.append(value)
        }
        switch key {
        case "left_children": left = whole
        case "right_children": right = whole
        case "split_indices": features = whole
        case "default_left": goesLeft = whole.map { $0 != 0 }
        case "split_type": isCategorical = whole.map { $0 != 0 }
        case "categories": categories = whole
        case "categories_nodes": categoryNodes = whole
        case "categories_segments": categoryFirsts = whole
        case "categories_sizes": categoryCounts = whole
        default: break
        }
        return true
    }

    /// Adds the tree to an ensemble.
    ///
    /// - Parameter weight: What its leaves are multiplied by.
    /// - Throws: `invalidArgument` when its columns do not fit together, or `add` does.
    func add(
        to builder: inout TreeEnsembleBuilder<Float>, target: Int, weight: Float, name: String
    ) throws {
        let count = left.count
        // Models from before categories have no types of splits.
        guard right.count == count, features.count == count, conditions.count == count,
            goesLeft.count == count, isCategorical.isEmpty || isCategorical.count == count
        else {
            throw LinajeError(
                .invalidArgument, "\(name) has a tree whose columns are of different lengths")
        }
        let sets = try categorySets(&builder, name: name)
        var nodes: [TreeNode<Float>] = []
        nodes.reserveCapacity(count)
        for index in 0..<count {
            guard left[index] != -1 else {
                nodes.append(TreeNode(leaf: index))
                continue
            }
            let isSet = !isCategorical.isEmpty && isCategorical[index]
            var node = TreeNode<Float>(
                isSet ? .categories : .threshold, feature: Int(features[index]),
                left: Int(left[index]), right: Int(right[index]))
            node.threshold = TreeNode<Float>.threshold(at: conditions[index])
            node.missingRight = !goesLeft[index]
            if isSet {
                guard let set = sets[Int32(truncatingIfNeeded: index)] else {
                    throw LinajeError(
                        .invalidArgument, "\(name) has a split by categories without categories")
                }
                node.categories = set
                node.memberRight = true
            }
            nodes.append(node)
        }
        let values = weight == 1 ? conditions : conditions.map { $0 * weight }
        try builder.add(nodes, values: values, target: target)
    }

    /// The sets of categories by node.
    private func categorySets(
        _ builder: inout TreeEnsembleBuilder<Float>, name: String
    ) throws -> [Int32: Int] {
        let damaged = LinajeError(.invalidArgument, "\(name) has a tree with damaged categories")
        guard categoryFirsts.count == categoryNodes.count,
            categoryCounts.count == categoryNodes.count
        else { throw damaged }
        var sets: [Int32: Int] = [:]
        for (index, node) in categoryNodes.enumerated() {
            let first = Int(categoryFirsts[index])
            let count = Int(categoryCounts[index])
            guard first >= 0, count >= 0, first <= categories.count,
                count <= categories.count - first
            else { throw damaged }
            let members = categories[first..<(first + count)]
            // XGBoost has categories below 2^24 (src/common/categorical.h).
            let most = members.max() ?? 0
            guard members.min() ?? 0 >= 0, most < 1 << 24 else { throw damaged }
            var words = [UInt32](repeating: 0, count: Int(most) >> 5 + 1)
            for member in members { words[Int(member) >> 5] |= 1 << UInt32(member & 31) }
            sets[node] = try builder.addCategories(words)
        }
        return sets
    }
}
