import CatBoostFlavor
import LightGBMFlavor
import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Testing
import XGBoostFlavor

@Suite("flavors of boosted trees")
struct TreeFlavorTests {
    // MARK: XGBoost

    private static let xgboostText = """
        {"learner":{"attributes":{"a":"b"},"feature_names":["x","y"],\
        "feature_types":["float","int"],"gradient_booster":{"model":{\
        "gbtree_model_param":{"num_parallel_tree":"1","num_trees":"2"},\
        "iteration_indptr":[0,1,2],"tree_info":[0,0],"trees":[{"id":0,"split_conditions":[1E0,-2],\
        "tree_param":{"num_nodes":"3"}},{"tree_param":{"num_nodes":"5"}}]},"name":"gbtree"},\
        "learner_model_param":{"base_score":"5E-1","num_class":"0","num_feature":"2"},\
        "objective":{"name":"binary:logistic"}},"version":[3,1,0]}
        """

    /// The same as UBJSON.
    private static let xgboostBinary: [UInt8] = {
        typealias U = UBJBytes
        func tree(_ nodes: String) -> [UInt8] {
            U.object([
                ("split_conditions", U.floats([1, -2])),
                ("tree_param", U.object([("num_nodes", U.text(nodes))])),
            ])
        }
        let model = U.object([
            (
                "gbtree_model_param",
                U.object([("num_parallel_tree", U.text("1")), ("num_trees", U.text("2"))])
            ),
            ("iteration_indptr", U.integers([0, 1, 2])), ("tree_info", U.integers([0, 0])),
            ("trees", U.array([tree("3"), tree("5")])),
        ])
        let learner = U.object([
            ("attributes", U.object([("a", U.text("b"))])),
            ("feature_names", U.array([U.text("x"), U.text("y")])),
            ("feature_types", U.array([U.text("float"), U.text("int")])),
            ("gradient_booster", U.object([("model", model), ("name", U.text("gbtree"))])),
            (
                "learner_model_param",
                U.object([
                    ("base_score", U.text("5E-1")), ("num_class", U.text("0")),
                    ("num_feature", U.text("2")),
                ])
            ),
            ("objective", U.object([("name", U.text("binary:logistic"))])),
        ])
        return U.object([("learner", learner), ("version", U.array([3, 1, 0].map(U.integer)))])
    }()

    private static func json(_ what: String, _ text: String, says: String) -> HostileModel {
        HostileModel(what, "m.json", Array(text.utf8), says: says)
    }

    private static let start = Array(xgboostBinary.prefix(18))

    static let xgboost: [HostileModel] = [
        json("a torn text", String(xgboostText.dropLast(3)), says: "m.json"),
        json("no booster", "{\"learner\":{}}", says: "no gradient_booster"),
        json("bytes after it", xgboostText + "x", says: "after its JSON"),
        json(
            "deep nesting", "{\"learner\":{\"a\":" + String(repeating: "[", count: 100_000),
            says: "nested more than 24"),
        json(
            "trees that are no array", "{\"learner\":{\"trees\":{}}}", says: "an array"),
        json("a key twice", "{\"learner\":{\"a\":1,\"a\":2}}", says: "twice"),
        HostileModel("a torn file", "m.ubj", Array(xgboostBinary.dropLast(9)), says: "m.ubj"),
        HostileModel(
            "a key of 2^63-1 bytes", "m.ubj",
            start + [0x4c, 0x7f] + [UInt8](repeating: 255, count: 7),
            says: "at most 4096"),
        HostileModel(
            "a negative length", "m.ubj", start + [0x4c] + [UInt8](repeating: 255, count: 8),
            says: "no whole number"),
        HostileModel(
            "an array of 2^62 elements", "m.ubj",
            start + UBJBytes.key("a") + Array("[$d#L".utf8) + [0x40, 0, 0, 0, 0, 0, 0, 0],
            says: "more than the file"),
        HostileModel(
            "an array with a type and no count", "m.ubj",
            start + UBJBytes.key("a") + Array("[$d".utf8) + [0, 0], says: "a type and no count"),
        HostileModel(
            "an array of nulls with a count", "m.ubj",
            start + UBJBytes.key("a") + Array("[$Z#L".utf8) + [0, 0, 0, 0, 0, 0, 0, 1, 0],
            says: "a type that is not read"),
        HostileModel(
            "arrays 100,000 deep", "m.ubj",
            start + UBJBytes.key("a") + [UInt8](repeating: 0x5b, count: 100_000),
            says: "nested more than"),
        HostileModel(
            "an unknown marker", "m.ubj", start + UBJBytes.key("a") + [0x51],
            says: "unknown marker"),
        HostileModel(
            "a text that is not UTF-8", "m.ubj",
            start + UBJBytes.key("a") + [0x53, 0x55, 1, 0xff], says: "not UTF-8"),
        HostileModel("bytes after its value", "m.ubj", xgboostBinary + [0x5a], says: "after its"),
    ]

    @Test("a hostile XGBoost file is refused by name, quickly", arguments: xgboost)
    func xgboostRefused(model: HostileModel) async throws {
        try await model.expectRefusal(by: XGBoostFlavor())
    }

    @Test(
        "XGBoostFlavor is a model flavor",
        arguments: ModelFlavorSuite.cases(
            flavor: XGBoostFlavor(),
            good: [
                ConformanceModel("XGBoost's JSON", files: ["m.json": Array(xgboostText.utf8)]),
                ConformanceModel("XGBoost's UBJSON", files: ["m.ubj": xgboostBinary]),
            ],
            bad: xgboost.compactMap(\.conformance)))
    func xgboostConformance(case conformance: ConformanceCase) async throws {
        try await conformance.body()
    }

    @Test("JSON and UBJSON of the same model are described the same")
    func xgboostForms() async throws {
        var text = try await XGBoostFlavor().describe(
            MemoryModelSource(["m.json": Array(Self.xgboostText.utf8)]))
        let binary = try await XGBoostFlavor().describe(
            MemoryModelSource(["m.json": Self.xgboostBinary]))
        #expect(text == binary)
        #expect(text.flavors[0].version == "3.1.0")
        #expect(text.flavors[0].facts["trees"] == "2")
        #expect(text.flavors[0].facts["nodes"] == "8")
        #expect(text.flavors[0].facts["objective"] == "binary:logistic")
        #expect(text.signature.contains("{\"type\":\"long\",\"name\":\"y\",\"required\":true}"))
        let other = Self.xgboostText.replacing("\"num_trees\":\"2\"", with: "\"num_trees\":\"7\"")
        text = try await XGBoostFlavor().describe(
            MemoryModelSource(["m.json": Array(other.utf8)]))
        #expect(text.findings.map(\.message) == ["it says it has 7 trees, but has 2"])
    }

    @Test("other JSON files are no XGBoost models")
    func xgboostOthers() async throws {
        let source = MemoryModelSource([
            "config.json": Array("{\"model_type\":\"bert\"}".utf8), "x.ubj": [0x7b, 0x4c],
        ])
        #expect(try await XGBoostFlavor().recognizes(source) == false)
    }

    // MARK: LightGBM

    private static let treeText = "Tree=0\nnum_leaves=1\n\n\n"
    private static let lightgbmText = """
        tree
        version=v4
        num_class=1
        num_tree_per_iteration=1
        max_feature_idx=1
        objective=binary sigmoid:1
        feature_names=x y
        feature_infos=[0:1] [-2:3.5]
        tree_sizes=\(treeText.utf8.count)

        \(treeText)end of trees

        parameters:
        [boosting: gbdt]
        [learning_rate: 0.1]

        end of parameters

        pandas_categorical:null

        """

    private static func lightgbm(_ what: String, _ text: String, says: String) -> HostileModel {
        HostileModel(what, "m.txt", Array(text.utf8), says: says)
    }

    static let lightgbm: [HostileModel] = [
        lightgbm("no trees", "tree\nversion=v4\n", says: "no \"Tree=0\""),
        lightgbm(
            "a tree longer than the file",
            lightgbmText.replacing("tree_sizes=", with: "tree_sizes=99999 "), says: "99999"),
        lightgbm(
            "a tree of 2^64 bytes",
            lightgbmText.replacing("tree_sizes=", with: "tree_sizes=18446744073709551616 "),
            says: "tree size"),
        lightgbm(
            "tree sizes that overflow",
            lightgbmText.replacing("tree_sizes=", with: "tree_sizes=18446744073709551615 1 "),
            says: "tree size"),
        lightgbm(
            "a negative size", lightgbmText.replacing("tree_sizes=", with: "tree_sizes=-1 "),
            says: "tree size"),
        HostileModel(
            "a beginning that is not UTF-8", "m.txt",
            Array("tree\nversion=v4\n".utf8) + [0xff] + Array("\n\nTree=0\n".utf8),
            says: "not UTF-8"),
    ]

    @Test("a hostile LightGBM file is refused by name, quickly", arguments: lightgbm)
    func lightgbmRefused(model: HostileModel) async throws {
        try await model.expectRefusal(by: LightGBMFlavor())
    }

    @Test(
        "LightGBMFlavor is a model flavor",
        arguments: ModelFlavorSuite.cases(
            flavor: LightGBMFlavor(),
            good: [ConformanceModel("LightGBM's text", files: ["m.txt": Array(lightgbmText.utf8)])],
            bad: lightgbm.compactMap(\.conformance)))
    func lightgbmConformance(case conformance: ConformanceCase) async throws {
        try await conformance.body()
    }

    @Test("a LightGBM model is described from what stands before and after its trees")
    func lightgbmGood() async throws {
        let model = try await LightGBMFlavor().describe(
            MemoryModelSource(["m.txt": Array(Self.lightgbmText.utf8)]))
        #expect(model.findings == [])
        #expect(model.flavors[0].version == "v4")
        #expect(model.flavors[0].facts["trees"] == "1")
        #expect(model.flavors[0].facts["parameter.learning_rate"] == "0.1")
        #expect(model.signature.contains("{\"type\":\"double\",\"name\":\"y\",\"required\":true}"))
        let shifted = Self.lightgbmText.replacing("num_leaves=1", with: "num_leaves=12")
        let damaged = try await LightGBMFlavor().describe(
            MemoryModelSource(["m.txt": Array(shifted.utf8)]))
        #expect(damaged.findings.map(\.severity) == [.warning])
    }

    // MARK: CatBoost

    /// A small model of CatBoost's own format, made by the library (`make_foreign_models.py`).
    private static let catboostBinary = ForeignModels.file("catboost/model.cbm")

    /// A core with these bytes.
    private static func core(_ bytes: [UInt8], length: UInt32? = nil) -> [UInt8] {
        Array("CBM1".utf8) + GGUFBytes.u32(length ?? UInt32(bytes.count)) + bytes
    }

    private static func catboost(_ what: String, _ bytes: [UInt8], says: String) -> HostileModel {
        HostileModel(what, "m.cbm", bytes, says: says)
    }

    static let catboost: [HostileModel] = [
        catboost("the magic alone", Array("CBM1".utf8), says: "too few"),
        catboost(
            "a core longer than the file", core([0, 0, 0, 0, 0, 0, 0, 0], length: .max),
            says: "is truncated"),
        catboost("an offset of 0", core([UInt8](repeating: 0, count: 32)), says: "wrong offset"),
        catboost(
            "an offset past the end", core([UInt8](repeating: 0xff, count: 32)),
            says: "wrong offset"),
        catboost(
            "a table before the file", core([4, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0]),
            says: "without fields"),
        catboost(
            "a table with 30,000 fields",
            core([8, 0, 0, 0, 0x62, 0xea, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]), says: "list of fields"),
        HostileModel(
            "a torn JSON", "m.json", Array("{\"features_info\":{\"float_features\":[".utf8),
            says: "m.json"),
        HostileModel(
            "deep JSON", "m.json",
            Array(("{\"features_info\":{\"a\":" + String(repeating: "[", count: 10_000)).utf8),
            says: "nested more than"),
    ]

    @Test("a hostile CatBoost file is refused by name, quickly", arguments: catboost)
    func catboostRefused(model: HostileModel) async throws {
        try await model.expectRefusal(by: CatBoostFlavor())
    }

    @Test(
        "CatBoostFlavor is a model flavor",
        arguments: ModelFlavorSuite.cases(
            flavor: CatBoostFlavor(),
            good: [
                ConformanceModel("CatBoost's own format", files: ["m.cbm": catboostBinary]),
                ConformanceModel(
                    "CatBoost's JSON",
                    files: ["m.json": ForeignModels.file("catboost-json/model.json")]),
            ],
            bad: catboost.compactMap(\.conformance)))
    func catboostConformance(case conformance: ConformanceCase) async throws {
        try await conformance.body()
    }
}
