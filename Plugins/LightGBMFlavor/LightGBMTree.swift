import LinajeDomain
import LinajeScoring

/// The columns of one tree of a LightGBM model (lightgbm-org/LightGBM, `src/io/tree.cpp`,
/// `Tree::ToString`), as lines "key=number number …".
struct LightGBMTree {
    /// The lines that scoring needs.
    static let keys: Set<String> = [
        "cat_boundaries", "cat_threshold", "decision_type", "is_linear", "leaf_value", "left_child",
        "num_cat", "num_leaves", "right_child", "split_feature", "threshold",
    ]
    /// Most numbers of a line.
    private static let mostNumbers = TreeEnsembleBuilder<Double>.mostNodes

    private let lines: [String: ArraySlice<UInt8>]
    private let path: String

    /// Whether its leaves are linear models.
    var isLinear: Bool { text("is_linear") == "1" }

    init(_ lines: [String: ArraySlice<UInt8>], path: String) {
        self.lines = lines
        self.path = path
    }

    /// Adds the tree to an ensemble. Inner nodes come first; leaf `i`, which children name as
    /// `-1-i`, stands after them.
    func add(to builder: inout TreeEnsembleBuilder<Double>, target: Int) throws {
        let values = try numbers("leaf_value")
        guard let leaves = text("num_leaves").flatMap({ Int($0) }), leaves == values.count,
            leaves > 0
        else { throw failure("num_leaves") }
        let inner = leaves - 1
        guard inner > 0 else {
            return try builder.add([TreeNode(leaf: 0)], values: values, target: target)
        }
        let features = try integers("split_feature", inner)
        let thresholds = try numbers("threshold")
        let types = try integers("decision_type", inner)
        let left = try integers("left_child", inner)
        let right = try integers("right_child", inner)
        guard thresholds.count == inner else { throw failure("threshold") }
        let sets = try categorySets(&builder)
        var nodes: [TreeNode<Double>] = []
        nodes.reserveCapacity(inner + leaves)
        for index in 0..<inner {
            var node = TreeNode<Double>(
                .threshold, feature: features[index], left: Self.place(left[index], inner),
                right: Self.place(right[index], inner))
            if types[index] & 1 == 1 {
                guard let set = Int(exactly: thresholds[index]), sets.indices.contains(set) else {
                    throw failure("threshold")
                }
                node.test = .categories
                node.categories = sets[set]
                node.missingRight = true
                node.cutsNegatives = true
            } else {
                Self.decide(&node, thresholds[index], type: types[index])
            }
            nodes.append(node)
        }
        for leaf in 0..<leaves { nodes.append(TreeNode(leaf: leaf)) }
        try builder.add(nodes, values: values, target: target)
    }

    /// `Tree::NumericalDecision` in `include/LightGBM/tree.h`: left up to and with the threshold.
    /// Bit 1 of the type: a missing value goes left; bits 2 and 3: what is missing.
    private static func decide(_ node: inout TreeNode<Double>, _ threshold: Double, type: Int) {
        let goesRight = type & 2 == 0
        // NaN is on no side of a threshold: LightGBM goes right.
        node.threshold =
            threshold.isNaN ? -.infinity : TreeNode<Double>.threshold(above: threshold)
        let zeroRight = !(0 <= threshold)
        switch type >> 2 & 3 {
        case 2: node.missingRight = goesRight
        case 1:
            // Zero is missing; where it goes the same way anyway, nothing more need be asked.
            node.missingRight = goesRight
            if zeroRight != goesRight { node.test = .thresholdOrZero }
        default:
            // NaN is zero.
            node.missingRight = zeroRight
        }
    }

    private static func place(_ child: Int, _ inner: Int) -> Int {
        child >= 0 ? min(child, inner) : inner + min(-1 - child, Int(Int32.max))
    }

    /// The sets of categories: bits in words, and where the words of each set begin.
    private func categorySets(_ builder: inout TreeEnsembleBuilder<Double>) throws -> [Int] {
        guard let count = text("num_cat").flatMap({ Int($0) }), count > 0 else { return [] }
        let bounds = try integers("cat_boundaries", nil)
        var words: [UInt32] = []
        for number in try numbers("cat_threshold") {
            guard let word = UInt32(exactly: number) else { throw failure("cat_threshold") }
            words.append(word)
        }
        guard bounds.count - 1 == count else { throw failure("cat_boundaries") }
        var sets: [Int] = []
        for (first, end) in zip(bounds, bounds.dropFirst()) {
            guard first >= 0, first <= end, end <= words.count else {
                throw failure("cat_boundaries")
            }
            sets.append(try builder.addCategories(Array(words[first..<end])))
        }
        return sets
    }

    // MARK: Parts

    private func text(_ key: String) -> String? {
        lines[key].map { String(decoding: $0, as: UTF8.self) }
    }

    private func numbers(_ key: String) throws -> [Double] {
        try numbers(key) { Double($0) }
    }

    /// Whole numbers of 32 bits; `count` of them, or any number.
    private func integers(_ key: String, _ count: Int?) throws -> [Int] {
        let numbers = try numbers(key) { text in Int32(text).map { Int($0) } }
        guard numbers.count == count ?? numbers.count else { throw failure(key) }
        return numbers
    }

    private func numbers<Number>(
        _ key: String, _ number: (String) -> Number?
    ) throws -> [Number] {
        guard let line = lines[key] else { throw failure(key) }
        var numbers: [Number] = []
        for piece in BytePieces(line, by: UInt8(ascii: " ")) {
            guard numbers.count < Self.mostNumbers else {
                throw LinajeError(.limitExceeded, "\(path) has a tree too large to be scored")
            }
            guard let number = number(String(decoding: piece, as: UTF8.self)) else {
                throw failure(key)
            }
            numbers.append(number)
        }
        return numbers
    }

    private func failure(_ key: String) -> LinajeError {
        LinajeError(
            .invalidArgument, "\(path) has a tree whose \"\(key)\" is damaged or not there")
    }
}
