import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Testing

@testable import LightGBMFlavor

/// What is scored of LightGBM's models, and what is left to the library.
@Suite("LightGBM scorer")
struct LightGBMScorerTests {
    private static let tree = "Tree=0\nnum_leaves=1\nleaf_value=2.5\nshrinkage=1\n\n"

    private func text(
        objective: String = "regression", features: Int = 2, trees: Int = 1
    ) -> String {
        """
        tree
        version=v4
        num_class=1
        num_tree_per_iteration=1
        max_feature_idx=\(features - 1)
        objective=\(objective)
        feature_names=x y
        feature_infos=[0:1] [0:1]

        \(String(repeating: Self.tree, count: trees))
        end of trees

        """
    }

    private func scorer(_ text: String) async throws -> (any ModelScorer)? {
        try await LightGBMFlavor().scorer(for: MemoryModelSource(["m.txt": Array(text.utf8)]))
    }

    @Test("only so many trees are kept")
    func trees() throws {
        let bytes = Array(text(trees: 3).utf8)
        let model = try LightGBMModel(bytes, path: "m.txt", mostTrees: 3)
        #expect(try model.scorer()?.score([0, 0]) == [7.5])
        let error = #expect(throws: LinajeError.self) {
            try LightGBMModel(bytes, path: "m.txt", mostTrees: 2)
        }
        #expect(error?.code == .limitExceeded)
    }

    @Test("an objective or a row that is too long is left to the library, wrong names are refused")
    func lengths() async throws {
        #expect(try await scorer(text())?.score([0, 0]) == [2.5])
        let long = "regression" + String(repeating: " a", count: 3_000)
        #expect(try await scorer(text(objective: long)) == nil)
        #expect(try await scorer(text(features: 65_537)) == nil)
        let error = await #expect(throws: LinajeError.self) {
            try await scorer(text(features: 3))
        }
        #expect(error?.message.contains("names 2 of its 3") == true, "\(error?.message ?? "")")
    }

    @Test("pieces are what stands between separators, as if they were split")
    func pieces() {
        for text in ["", " ", "a", " a", "a ", "a b", "  ab  c ", "a  ", "   "] {
            let bytes = Array(text.utf8)
            let space = UInt8(ascii: " ")
            #expect(Array(BytePieces(bytes[...], by: space)) == bytes.split(separator: space))
        }
    }
}
