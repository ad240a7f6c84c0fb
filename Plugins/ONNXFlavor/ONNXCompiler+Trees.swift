import LinajeScoring

/// Trees as nodes of a graph (onnxruntime, `tree_ensemble_aggregator.h`).
extension ONNXCompiler {
    mutating func treeRegressor(_ node: ONNXGraph.Node) throws {
        let column = try rows(node)
        let trees = ONNXTrees(node, prefix: "target", path: path)
        let known = ONNXTrees.attributes.union([
            "aggregate_function", "n_targets", "target_ids", "target_nodeids", "target_treeids",
            "target_weights",
        ])
        guard !column.isScalar, node.hasOnly(known),
            node.text("aggregate_function") ?? "SUM" == "SUM",
            node.text("post_transform") ?? "NONE" == "NONE",
            let outputs = Int(exactly: node.integer("n_targets") ?? 1),
            (1...4_096).contains(outputs)
        else { throw Unknown() }
        let given = node.floats("base_values")
        guard given.isEmpty || given.count == outputs else { throw Unknown() }
        let base = given.isEmpty ? [Float](repeating: 0, count: outputs) : given
        let ensemble = try trees.ensemble(
            features: column.width, ids: trees.targets.map { Int(truncatingIfNeeded: $0) },
            base: base
        ).trees
        let target = try define(node.outputs.first, .float, outputs)
        steps.append { frame, _ in
            frame[target.slot].floats = ensemble.sums(frame[column.slot].floats.map { Double($0) })
        }
    }

    mutating func treeClassifier(_ node: ONNXGraph.Node) throws {
        let column = try rows(node)
        let trees = ONNXTrees(node, prefix: "class", path: path)
        let labels = try ONNXLabels(
            node, integers: "classlabels_int64s", texts: "classlabels_strings")
        let known = ONNXTrees.attributes.union([
            "class_ids", "class_nodeids", "class_treeids", "class_weights", "classlabels_int64s",
            "classlabels_strings",
        ])
        guard !column.isScalar, node.hasOnly(known), (2...4_096).contains(labels.count) else {
            throw Unknown()
        }
        let link = try Self.link(node.text("post_transform"))
        let base = node.floats("base_values")
        guard labels.count == 2 else {
            guard base.isEmpty || base.count == labels.count else { throw Unknown() }
            let start = base.isEmpty ? [Float](repeating: 0, count: labels.count) : base
            let (ensemble, scored) = try trees.ensemble(
                features: column.width, ids: trees.targets.map { Int(truncatingIfNeeded: $0) },
                base: start)
            // ONNX Runtime never chooses a class that a row has no weight for: one whose zero here
            // could be the greatest of sums that are not above it.
            guard
                !base.isEmpty || scored.count == labels.count
                    || trees.weights.allSatisfy({ $0 > 0 })
            else { throw Unknown() }
            return try addClassifier(node, column, labels, ensemble) { sums in
                (LinkFunction.greatest(sums, labels.count), link.apply(sums, width: labels.count))
            }
        }
        // Two classes with one sum, that of the second, though it has the number 0. With other
        // numbers, two sums, or leaves without weights ONNX Runtime has rules that no converter
        // relies on.
        guard trees.targets.allSatisfy({ $0 == 0 }), base.count <= 1 else { throw Unknown() }
        let (ensemble, scored) = try trees.ensemble(
            features: column.width, ids: trees.targets.map { _ in 0 },
            base: base.isEmpty ? [0] : base)
        guard scored == [0] else { throw Unknown() }
        let arePositive = !trees.weights.contains { $0 < 0 }
        switch (arePositive, link) {
        case (true, .identity):
            try addClassifier(node, column, labels, ensemble) { sums in
                (sums.map { $0 > 0.5 ? 1 : 0 }, sums.flatMap { [1 - $0, $0] })
            }
        case (false, .identity), (false, .sigmoid):
            try addClassifier(node, column, labels, ensemble) { sums in
                (
                    sums.map { $0 > 0 ? 1 : 0 },
                    link.apply(sums.flatMap { [-$0, $0] }, width: 2)
                )
            }
        default: throw Unknown()
        }
    }

    private mutating func addClassifier(
        _ node: ONNXGraph.Node, _ column: Column, _ labels: ONNXLabels,
        _ ensemble: TreeEnsemble<Float>,
        _ decide: @escaping @Sendable ([Float]) -> (best: [Int], scores: [Float])
    ) throws {
        let label = try define(node.outputs.first, labels.kind, 1, isScalar: true)
        let target = try define(node.outputs.dropFirst().first, .float, labels.count)
        steps.append { frame, _ in
            let sums = ensemble.sums(frame[column.slot].floats.map { Double($0) })
            let (best, scores) = decide(sums)
            frame[label.slot].integers = best.map { labels.values[$0] }
            frame[target.slot].floats = scores
        }
    }
}
