import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Testing

@testable import XGBoostFlavor

/// What is scored of XGBoost's models, and what is left to the library.
@Suite("XGBoost scorer")
struct XGBoostScorerTests {
    private static let stump = """
        {"split_conditions":[0.5,-1,1],"left_children":[1,-1,-1],"right_children":[2,-1,-1],\
        "split_indices":[1,0,0],"default_left":[1,0,0],\
        "tree_param":{"num_nodes":"3","size_leaf_vector":"1"}}
        """

    /// A model of two features with a tree for each output.
    private func json(
        _ objective: String, outputs: Int = 1, classes: Int = 0, targets: Int = 1,
        booster: String? = nil
    ) -> String {
        let trees = [String](repeating: Self.stump, count: outputs).joined(separator: ",")
        let info = (0..<outputs).map { String($0) }.joined(separator: ",")
        let boosted =
            booster ?? """
                {"model":{"iteration_indptr":[0,\(outputs)],"tree_info":[\(info)],\
                "trees":[\(trees)]},"name":"gbtree"}
                """
        return """
            {"learner":{"gradient_booster":\(boosted),"learner_model_param":{"base_score":"0E0",\
            "num_class":"\(classes)","num_feature":"2","num_target":"\(targets)"},\
            "objective":{"name":"\(objective)"}},"version":[3,2,0]}
            """
    }

    private func scorer(
        _ json: String, as modelClass: String? = nil
    ) async throws -> (any ModelScorer)? {
        var files = ["m.json": Array(json.utf8)]
        if let modelClass { files["MLmodel"] = Array("    model_class: \(modelClass)\n".utf8) }
        return try await XGBoostFlavor().scorer(for: MemoryModelSource(files))
    }

    // MARK: Infinities

    private static let linear = "{\"model\":{\"weights\":[1,2,0.5]},\"name\":\"gblinear\"}"

    @Test("infinities are refused by row and column where XGBoost would make a DMatrix of them")
    func infinities() async throws {
        let linear = json("reg:squarederror", booster: Self.linear)
        let refusing = [
            try await scorer(json("reg:squarederror")),
            try await scorer(json("reg:squarederror"), as: "xgboost.core.Booster"),
            try await scorer(linear), try await scorer(linear, as: "xgboost.sklearn.XGBRegressor"),
        ]
        for refusing in refusing {
            let scorer = try #require(refusing)
            for value in [Double.infinity, -.infinity, 1e300, -3.5e38] {
                let error = #expect(throws: LinajeError.self, "\(value)") {
                    try scorer.score([0, .nan, 3.4e38, value])
                }
                #expect(error?.code == .invalidArgument)
                #expect(error?.message.contains("row 2 ") == true, "\(error?.message ?? "")")
                #expect(error?.message.contains("\"f1\"") == true, "\(error?.message ?? "")")
            }
            #expect(try scorer.score([.nan, 3.4e38, -3.4e38, .nan]).count == 2)
        }
    }

    @Test("infinities are numbers where XGBoost predicts in place")
    func infinitiesInPlace() async throws {
        let made = try await scorer(json("reg:squarederror"), as: "xgboost.sklearn.XGBRegressor")
        let scorer = try #require(made)
        #expect(
            try scorer.score([0, .infinity, 0, -.infinity, 0, 1e300, 0, .nan]) == [1, -1, 1, -1])
    }

    // MARK: Classes

    @Test("a classifier with two probabilities for a row has no scorer: two labels to XGBoost")
    func twoProbabilities() async throws {
        let classifier = "xgboost.sklearn.XGBClassifier"
        let two = json("multi:softprob", outputs: 2, classes: 2)
        #expect(try await scorer(two, as: classifier) == nil)
        #expect(try await scorer(two)?.layout.width == 2)
        let three = json("multi:softprob", outputs: 3, classes: 3)
        #expect(try await scorer(three, as: classifier)?.layout.width == 4)
        let greatest = json("multi:softmax", outputs: 2, classes: 2)
        #expect(try await scorer(greatest, as: classifier)?.score([0, 1]) == [0])
    }

    @Test("classes of several targets, which XGBoost has not, have no scorer")
    func classesOfTargets() async throws {
        let classifier = "xgboost.sklearn.XGBClassifier"
        for objective in ["multi:softmax", "multi:softprob"] {
            let model = json(objective, outputs: 3, targets: 3)
            #expect(try await scorer(model, as: classifier) == nil, "\(objective)")
            #expect(try await scorer(model) == nil, "\(objective)")
        }
        let labels = json("binary:logistic", outputs: 2, targets: 2)
        let half = labels.replacing("0E0", with: "5E-1")
        #expect(try await scorer(half, as: classifier)?.score([0, 1]).prefix(2) == [1, 1])
    }

    // MARK: UBJSON

    /// The same model as UBJSON, whose tree has these members too.
    private func binary(_ more: [(String, [UInt8])]) -> [UInt8] {
        typealias U = UBJBytes
        let tree = U.object(
            [
                ("split_conditions", U.floats([0.5, -1, 1])),
                ("left_children", U.integers([1, -1, -1])),
                ("right_children", U.integers([2, -1, -1])),
                ("split_indices", U.integers([1, 0, 0])),
                ("tree_param", U.object([("num_nodes", U.text("3"))])),
            ] + more)
        let model = U.object([
            ("iteration_indptr", U.integers([0, 1])), ("tree_info", U.integers([0])),
            ("trees", U.array([tree])),
        ])
        let parameters = U.object([
            ("base_score", U.text("0E0")), ("num_class", U.text("0")),
            ("num_feature", U.text("2")), ("num_target", U.text("1")),
        ])
        let learner = U.object([
            ("gradient_booster", U.object([("model", model), ("name", U.text("gbtree"))])),
            ("learner_model_param", parameters),
            ("objective", U.object([("name", U.text("reg:squarederror"))])),
        ])
        return U.object([("learner", learner), ("version", U.array([3, 2, 0].map(U.integer)))])
    }

    /// An array of three of a type, of which each has so many bytes.
    private func typed(_ type: String, bytes: Int) -> [UInt8] {
        Array("[$\(type)#U".utf8) + [3] + [UInt8](repeating: 0, count: 3 * bytes)
    }

    private func scorer(_ bytes: [UInt8]) async throws -> (any ModelScorer)? {
        try await XGBoostFlavor().scorer(for: MemoryModelSource(["m.ubj": bytes]))
    }

    @Test("columns of a type without bytes are refused: they would cost nothing")
    func widthless() async throws {
        let right = try await scorer(binary([("default_left", typed("U", bytes: 1))]))
        #expect(try #require(right).score([0, 0, 0, 1]) == [-1, 1])
        let single = UBJBytes.array([[0x54], [0x46], [0x46]])
        let truths = try await scorer(binary([("default_left", single)]))
        #expect(try #require(truths).score([0, .nan]) == [-1])
        for type in ["T", "F", "Z", "N"] {
            let model = binary([("default_left", typed(type, bytes: 0))])
            let error = await #expect(throws: LinajeError.self, "\(type)") {
                try await scorer(model)
            }
            #expect(error?.code == .invalidArgument, "\(type)")
            #expect(error?.message.contains("a type that is not read") == true, "\(type)")
        }
    }

    @Test("a column that comes twice is refused")
    func twice() async throws {
        let columns = [
            ("default_left", typed("U", bytes: 1)), ("categories", typed("U", bytes: 1)),
        ]
        for column in columns + [("split_conditions", UBJBytes.floats([1, 2, 3]))] {
            let error = await #expect(throws: LinajeError.self, "\(column.0)") {
                try await scorer(binary(columns + [column]))
            }
            #expect(error?.code == .invalidArgument, "\(column.0)")
            #expect(error?.message.contains("\"\(column.0)\" twice") == true, "\(column.0)")
        }
    }

    @Test("every column counts against the most nodes, whichever is the longest")
    func longest() throws {
        for key in XGBoostTree.keys.sorted() {
            var list = XGBoostTreeList(trees: [], limit: 10)
            var tree = XGBoostTree()
            let isTaken = tree.take(key, [0, 0, 0, 0, 0, 0])
            #expect(isTaken, "\(key)")
            try list.append(tree)
            let error = #expect(throws: LinajeError.self, "\(key)") { try list.append(tree) }
            #expect(error?.code == .limitExceeded, "\(key)")
            #expect(list.isFull && list.trees?.count == 1, "\(key)")
        }
    }
}
