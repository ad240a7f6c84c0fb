import LinajeConformance
import LinajeDomain
import LinajePluginKit
import ONNXFlavor
import Testing

/// What is scored of ONNX graphs, and what is left to the library.
@Suite("ONNX scorer")
struct ONNXScorerTests {
    private typealias G = ONNXGraphBytes
    private typealias P = ProtobufBytes

    private func scorer(_ graph: [UInt8]) async throws -> (any ModelScorer)? {
        let source = MemoryModelSource(["m.onnx": ONNXBytes.model(graph)])
        return try await ONNXFlavor().scorer(for: source)
    }

    // MARK: Tensors

    /// x [n, 2] times the tensor "w", which stands output after output.
    private func gemm(_ weights: [UInt8]) async throws -> (any ModelScorer)? {
        try await scorer(
            G.node("Gemm", ["x", "w"], ["y"], G.integer("transB", 1)) + weights
                + ONNXBytes.value(11, "x", [nil, 2]) + ONNXBytes.value(12, "y", [nil, 2]))
    }

    @Test("weights whose data are not of their type, or not as many, have no scorer")
    func weights() async throws {
        let right = try await gemm(G.tensor("w", [2, 2], type: 1, floats: [1, 2, 3, 4]))
        #expect(try #require(right).score([1, 2]) == [5, 11])
        let wrong: [(String, [UInt8])] = [
            ("whole numbers", G.tensor("w", [2, 2], type: 1, wide: [1, 2, 3, 4])),
            ("numbers of 32 bits", G.tensor("w", [2, 2], type: 1, narrow: [1, 2, 3, 4])),
            ("texts", G.tensor("w", [2, 2], type: 1, texts: ["1", "2", "3", "4"])),
            ("nothing", G.tensor("w", [2, 2], type: 1)),
            (
                "whole numbers besides",
                G.tensor("w", [2, 2], type: 1, floats: [1, 2, 3, 4], wide: [1, 2, 3, 4])
            ),
            (
                "numbers without a sign besides",
                G.tensor(
                    "w", [2, 2], type: 1, floats: [1, 2, 3, 4], extra: P.field(11, [1, 2, 3, 4]))
            ),
            ("too few", G.tensor("w", [2, 2], type: 1, floats: [1, 2, 3])),
            (
                "a part of a number",
                G.tensor("w", [2, 2], type: 1, extra: P.field(9, [UInt8](repeating: 0, count: 17)))
            ),
        ]
        for (what, tensor) in wrong {
            let scorer = try await gemm(tensor)
            #expect(scorer == nil, "\(what)")
        }
    }

    // MARK: Labels

    /// The label of the greatest of three values.
    private func chosen(_ labels: [UInt8]) async throws -> (any ModelScorer)? {
        try await scorer(
            G.node("ArgMax", ["x"], ["i"], G.integer("axis", 1))
                + G.node("ArrayFeatureExtractor", domain: "ai.onnx.ml", ["l", "i"], ["y"]) + labels
                + ONNXBytes.value(11, "x", [nil, 3]) + ONNXBytes.value(12, "y", [nil, 1]))
    }

    @Test("stored labels are texts, or numbers that float64 has; one for each place")
    func storedLabels() async throws {
        let texts = G.tensor("l", [3], type: 8, texts: ["a", "b", "c"])
        let named = try #require(try await chosen(texts))
        #expect(named.layout.outputs.map(\.labels) == [["a", "b", "c"]])
        #expect(try named.score([0, 1, 5, 7, 1, 5]) == [2, 0])
        let numbers = G.tensor("l", [3], type: 7, wide: [7, -1 << 53, 1 << 53])
        let numbered = try #require(try await chosen(numbers))
        let most = 9_007_199_254_740_992.0
        #expect(try numbered.score([0, 1, 5, 0, 5, 1]) == [most, -most])
        #expect(try await chosen(G.tensor("l", [3], type: 6, narrow: [7, 8, 9])) != nil)
        let wrong: [(String, [UInt8])] = [
            ("texts, but numbers", G.tensor("l", [3], type: 8, wide: [1, 2, 3], texts: ["a"])),
            ("too few texts", G.tensor("l", [2], type: 8, texts: ["a", "b"])),
            ("too few numbers", G.tensor("l", [2], type: 7, wide: [1, 2])),
            ("beyond 2^53", G.tensor("l", [3], type: 7, wide: [7, 8, 1 << 53 + 1])),
            ("below -2^53", G.tensor("l", [3], type: 7, wide: [7, 8, -1 << 53 - 1])),
            ("the least of all", G.tensor("l", [3], type: 7, wide: [7, 8, .min])),
        ]
        for (what, labels) in wrong {
            let scorer = try await chosen(labels)
            #expect(scorer == nil, "\(what)")
        }
    }

    @Test("labels of a classifier are numbers that float64 has")
    func classifierLabels() async throws {
        for (label, isNative) in [
            (1 << 53, true), (1 << 53 + 1, false), (-1 << 53, true), (-1 << 53 - 1, false),
        ] as [(Int64, Bool)] {
            let linear = try await scorer(
                G.node(
                    "LinearClassifier", domain: "ai.onnx.ml", ["x"], ["y", "p"],
                    G.integers("classlabels_ints", [0, label])
                        + G.floats("coefficients", [0, 0, 1, 1]))
                    + ONNXBytes.value(11, "x", [nil, 2]) + ONNXBytes.value(12, "y", [nil]))
            #expect((linear != nil) == isNative, "\(label)")
            #expect(try linear?.score([1, 1]) == (isNative ? [Double(label)] : nil), "\(label)")
            let trees = try await classifier(
                labels: [0, label], ids: [0, 0], leaves: [1, 2], weights: [0.25, 0.75])
            #expect((trees != nil) == isNative, "\(label)")
        }
    }

    // MARK: Trees

    /// A tree that asks whether the one value is at most 0: then leaf 1, else leaf 2.
    private func classifier(
        labels: [Int64], ids: [Int64], leaves: [Int64], weights: [Float], base: [Float] = []
    ) async throws -> (any ModelScorer)? {
        var attributes =
            G.integers("nodes_treeids", [0, 0, 0]) + G.integers("nodes_nodeids", [0, 1, 2])
            + G.texts("nodes_modes", ["BRANCH_LEQ", "LEAF", "LEAF"])
            + G.integers("nodes_featureids", [0, 0, 0]) + G.floats("nodes_values", [0, 0, 0])
            + G.integers("nodes_truenodeids", [1, 0, 0])
            + G.integers("nodes_falsenodeids", [2, 0, 0])
        attributes +=
            G.integers("class_treeids", ids.map { _ in 0 }) + G.integers("class_nodeids", leaves)
            + G.integers("class_ids", ids) + G.floats("class_weights", weights)
            + G.integers("classlabels_int64s", labels)
        if !base.isEmpty { attributes += G.floats("base_values", base) }
        return try await scorer(
            G.node("TreeEnsembleClassifier", domain: "ai.onnx.ml", ["x"], ["y", "p"], attributes)
                + ONNXBytes.value(11, "x", [nil, 1]) + ONNXBytes.value(12, "y", [nil])
                + ONNXBytes.value(12, "p", [nil, UInt64(labels.count)]))
    }

    @Test("two classes with one sum are scored where every leaf adds to class 0")
    func twoClasses() async throws {
        let right = try await classifier(
            labels: [5, 6], ids: [0, 0], leaves: [1, 2], weights: [0.25, 0.75])
        #expect(try #require(right).score([-1, 1]) == [5, 0.75, 0.25, 6, 0.25, 0.75])
        let signed = try await classifier(
            labels: [5, 6], ids: [0, 0], leaves: [1, 2], weights: [-2, 3], base: [1])
        #expect(try #require(signed).score([-1, 1]) == [5, 1, -1, 6, -4, 4])
        let wrong: [(String, [Int64], [Int64])] = [
            ("class 1", [1, 1], [1, 2]), ("class 7", [7, 7], [1, 2]),
            ("a class for each leaf", [0, 1], [1, 2]), ("a leaf without weight", [0], [1]),
            ("no weights", [], []),
        ]
        for (what, ids, leaves) in wrong {
            let scorer = try await classifier(
                labels: [5, 6], ids: ids, leaves: leaves,
                weights: [Float](repeating: 0.5, count: ids.count))
            #expect(scorer == nil, "\(what)")
        }
    }

    @Test("a class that a row may have no weight for is scored only where it cannot be chosen")
    func sparseClasses() async throws {
        let full: [Int64] = [0, 1, 2, 0, 1, 2]
        let dense = try await classifier(
            labels: [5, 6, 7], ids: full, leaves: [1, 1, 1, 2, 2, 2],
            weights: [-1, -2, -3, -3, -2, -1])
        #expect(try #require(dense).score([-1, 1]) == [5, -1, -2, -3, 7, -3, -2, -1])
        let cases: [(String, [Int64], [Int64], [Float], [Float], Bool)] = [
            ("a class without weights", [0, 1, 0, 1], [1, 1, 2, 2], [-1, 2, -1, 2], [], false),
            ("one that half of the rows have", [0, 1, 2], [1, 1, 2], [-1, -2, -3], [], false),
            ("weights of zero", [0, 1, 0, 1], [1, 1, 2, 2], [0, 0, 0, 0], [], false),
            ("no weight below zero", [0, 1, 2], [1, 1, 2], [1, 2, 3], [], true),
            ("base values", [0, 1, 2], [1, 1, 2], [-1, -2, -3], [0, 0, 0], true),
        ]
        for (what, ids, leaves, weights, base, isNative) in cases {
            let scorer = try await classifier(
                labels: [5, 6, 7], ids: ids, leaves: leaves, weights: weights, base: base)
            #expect((scorer != nil) == isNative, "\(what)")
        }
    }

    /// A damaged tree of many leaves, each of which would take 4,096 values.
    private func wide(leaves: Int) async throws -> (any ModelScorer)? {
        let names = (0..<Int64(leaves + 2)).map { $0 }
        let none = names.map { _ in Int64(0) }
        let modes = ["BRANCH_LEQ"] + [String](repeating: "LEAF", count: leaves) + ["BRANCH_LEQ"]
        let attributes =
            G.integers("nodes_treeids", none) + G.integers("nodes_nodeids", names)
            + G.texts("nodes_modes", modes) + G.integers("nodes_featureids", none)
            + G.floats("nodes_values", names.map { _ in 0 })
            + G.integers("nodes_truenodeids", [1] + none.dropFirst().map { $0 - 1 })
            + G.integers("nodes_falsenodeids", [2] + none.dropFirst().map { $0 - 1 })
            + G.integer("n_targets", 4_096)
        return try await scorer(
            G.node("TreeEnsembleRegressor", domain: "ai.onnx.ml", ["x"], ["y"], attributes)
                + ONNXBytes.value(11, "x", [nil, 1]) + ONNXBytes.value(12, "y", [nil, 4_096]))
    }

    @Test("leaves of many outputs are counted before there is memory for them")
    func wideLeaves() async throws {
        // Looked at, it would be called damaged.
        let error = await #expect(throws: LinajeError.self) { try await wide(leaves: 2) }
        #expect(error?.code == .invalidArgument)
        #expect(try await wide(leaves: 2_049) == nil)
    }

    // MARK: Memory

    /// Negated so many times, then whatever follows "x<times>".
    private func negated(
        _ times: Int, _ more: [UInt8] = [], outputs: [String]
    ) async throws -> (any ModelScorer)? {
        let nodes = (0..<times).flatMap { G.node("Neg", ["x\($0)"], ["x\($0 + 1)"]) }
        return try await scorer(
            nodes + more + ONNXBytes.value(11, "x0", [nil, 65_536])
                + outputs.flatMap { ONNXBytes.value(12, $0, [nil, nil]) })
    }

    @Test("what a row takes under all names, as outputs and as turned weights is bounded")
    func rowMemory() async throws {
        #expect(try await negated(62, outputs: ["x62"]) != nil)
        #expect(try await negated(63, outputs: ["x63"]) == nil)
        let same = [String](repeating: "x1", count: 62)
        #expect(try await negated(1, outputs: same) != nil)
        #expect(try await negated(1, outputs: same + ["x1"]) == nil)
        let turned =
            G.node("Gemm", ["x62", "w"], ["y"], G.integer("transB", 1))
            + ONNXBytes.initializer("w", [1, 65_536], raw: 262_144)
        let plain =
            G.node("Gemm", ["x62", "w"], ["y"])
            + ONNXBytes.initializer("w", [65_536, 1], raw: 262_144)
        #expect(try await negated(62, turned, outputs: ["y"]) == nil)
        #expect(try await negated(62, plain, outputs: ["y"]) != nil)
    }
}
