import LinajeConformance
import LinajeDomain
import LinajeScoring
import Testing

@Suite("tree ensembles")
struct TreeEnsembleTests {
    private typealias Node = TreeNode<Float>

    private func split(
        _ feature: Int, _ threshold: Float, _ left: Int, _ right: Int, missingRight: Bool = false
    ) -> Node {
        var node = Node(.threshold, feature: feature, left: left, right: right)
        node.threshold = threshold
        node.missingRight = missingRight
        return node
    }

    private func builder(_ features: Int = 2, _ outputs: Int = 1) throws
        -> TreeEnsembleBuilder<Float>
    {
        try TreeEnsembleBuilder(
            name: "m.ubj", features: features, base: [Float](repeating: 0, count: outputs))
    }

    @Test("trees that are no trees are refused by name")
    func refusals() throws {
        let refused: [(String, [TreeNode<Float>], [Float])] = [
            ("no nodes", [], [1]),
            ("a node that is its own child", [split(0, 1, 0, 1), Node(leaf: 0)], [1]),
            ("one child twice", [split(0, 1, 1, 1), Node(leaf: 0)], [1]),
            (
                "a circle below the root",
                [split(0, 1, 1, 2), split(0, 1, 3, 4), Node(leaf: 0), split(0, 1, 1, 2)], [1]
            ),
            ("a child that is not there", [split(0, 1, 1, 9), Node(leaf: 0)], [1]),
            ("a negative child", [split(0, 1, -2, 1), Node(leaf: 0)], [1]),
            ("a feature too many", [split(2, 1, 1, 2), Node(leaf: 0), Node(leaf: 0)], [1]),
            ("a negative feature", [split(-1, 1, 1, 2), Node(leaf: 0), Node(leaf: 0)], [1]),
            ("a leaf too many", [Node(leaf: 1)], [1]),
            ("no values", [Node(leaf: 0)], []),
        ]
        for (what, nodes, values) in refused {
            var builder = try builder()
            let error = #expect(throws: LinajeError.self, "\(what)") {
                try builder.add(nodes, values: values, target: 0)
            }
            #expect(error?.code == .invalidArgument, "\(what)")
            #expect(error?.message.contains("m.ubj") == true, "\(what)")
        }
        var builder = try builder()
        #expect(throws: LinajeError.self) {
            try builder.add([Node(leaf: 0)], values: [1], target: 1)
        }
    }

    @Test("rows of any number go through all trees, whichever form these have")
    func forms() throws {
        var random = SeededGenerator(seed: 7)
        // A chain is too deep to be made complete, a bush is not.
        for depth in [0, 1, 3, 8, 9, 40] {
            let nodes = chain(depth)
            var builder = try builder()
            try builder.add(nodes, values: (0...depth).map { Float($0) }, target: 0)
            let ensemble = builder.finish()
            for count in [1, 7, 8, 9, 127, 128, 129, 300] {
                let rows = (0..<(count * 2)).map { _ in
                    [Double.nan, .infinity, -.infinity, 0, 2, 5.5, 39]
                        .randomElement(using: &random) ?? 0
                }
                let wanted = (0..<count).map { row in
                    slow(nodes, (rows[2 * row], rows[2 * row + 1]))
                }
                #expect(ensemble.sums(rows) == wanted, "depth \(depth), \(count) rows")
            }
        }
    }

    /// A tree that goes on to the left and ends to the right on every level.
    private func chain(_ depth: Int) -> [TreeNode<Float>] {
        var nodes: [TreeNode<Float>] = []
        for level in 0..<depth {
            nodes.append(
                split(
                    level % 2, Float(depth - level), 2 * level + 2, 2 * level + 1,
                    missingRight: level % 3 == 2))
            nodes.append(Node(leaf: level))
        }
        return nodes + [Node(leaf: depth)]
    }

    /// The same walk, written plainly.
    private func slow(_ nodes: [TreeNode<Float>], _ row: (Double, Double)) -> Float {
        var index = 0
        while nodes[index].test != .leaf {
            let value = Float(nodes[index].feature == 0 ? row.0 : row.1)
            let isRight =
                value.isNaN ? nodes[index].missingRight : value >= nodes[index].threshold
            index = isRight ? nodes[index].right : nodes[index].left
        }
        return Float(nodes[index].leaf)
    }

    @Test("categories are cut to whole numbers, and what is in no set goes the other way")
    func categories() throws {
        for (cutsNegatives, memberRight) in [(true, false), (false, true)] {
            var builder = try builder(1)
            let set = try builder.addCategories([1 << 0 | 1 << 5, 1 << 31])
            var node = TreeNode<Float>(.categories, feature: 0, left: 1, right: 2)
            node.categories = set
            node.memberRight = memberRight
            node.cutsNegatives = cutsNegatives
            node.missingRight = true
            try builder.add([node, Node(leaf: 0), Node(leaf: 1)], values: [10, 20], target: 0)
            let ensemble = builder.finish()
            let cases: [(Double, Bool)] = [
                (0, true), (5, true), (5.9, true), (6, false), (63, true), (64, false),
                (-0.5, cutsNegatives), (-1, false), (1e30, false), (.infinity, false),
                (-.infinity, false), (4e9, false),
            ]
            for (value, isMember) in cases {
                #expect(
                    ensemble.sums([value]) == [isMember == memberRight ? 20 : 10], "\(value)")
            }
            #expect(ensemble.sums([.nan]) == [20])
        }
    }

    @Test("leaves of vectors add to every output")
    func vectors() throws {
        var builder = try builder(1, 3)
        try builder.add(
            [split(0, 1, 1, 2), Node(leaf: 0), Node(leaf: 1)], values: [1, 2, 3, 4, 5, 6],
            target: nil)
        try builder.add([Node(leaf: 0)], values: [100], target: 1)
        #expect(builder.finish().sums([0, 1, 2]) == [1, 102, 3, 4, 105, 6, 4, 105, 6])
    }

    @Test("zero can be missing")
    func zeros() throws {
        var builder = try TreeEnsembleBuilder<Double>(
            name: "m", features: 1, base: [0], zeroDistance: 1e-35)
        var node = TreeNode<Double>(.thresholdOrZero, feature: 0, left: 1, right: 2)
        node.threshold = -1
        try builder.add(
            [node, TreeNode(leaf: 0), TreeNode(leaf: 1)], values: [1, 2], target: 0)
        #expect(
            builder.finish().sums([0, -0.0, 1e-36, 1e-34, -2, .nan, 3]) == [1, 1, 1, 2, 1, 1, 2])
    }
}
