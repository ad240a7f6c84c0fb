import LinajeDomain
import Testing

@testable import LinajeCommands

@Suite("What may be scored natively")
struct NativeChoiceTests {
    private static let files: Set<String> = ["MLmodel", "model.pkl", "model.txt", "model.ubj"]

    private static func choice(
        _ generic: [String: String]?, _ flavor: String, _ facts: [String: String],
        paths: Set<String> = files, schema: InputSchema? = nil
    ) -> NativeChoice {
        var flavors = [FlavorDescription(name: flavor, facts: facts)]
        if let generic { flavors.append(.init(name: "python_function", facts: generic)) }
        return NativeChoice(ModelDescription(flavors: flavors), schema: schema, paths: paths)
    }

    private static func reason(_ choice: NativeChoice) -> String {
        if case .none(let reason) = choice { return reason }
        return "none: \(choice)"
    }

    private static let loader = ["loader_module": "mlflow.lightgbm"]
    private static let booster = ["data": "model.txt", "model_class": "lightgbm.basic.Booster"]

    @Test("the file that MLmodel names is scored, and no other beside it")
    func named() {
        let wanted = NativeChoice.only(flavor: "lightgbm", files: ["MLmodel", "model.txt"])
        #expect(Self.choice(Self.loader, "lightgbm", Self.booster) == wanted)
        #expect(Self.choice(Self.loader, "lightgbm", ["data": "model.txt"]) == wanted)
        #expect(
            Self.choice(Self.loader.merging(["data": "model.txt"]) { $1 }, "lightgbm", [:])
                == wanted)
        // An XGBoost estimator is in the library's own file.
        #expect(
            Self.choice(
                ["loader_module": "mlflow.xgboost"], "xgboost",
                ["data": "model.ubj", "model_class": "xgboost.sklearn.XGBClassifier"])
                == .only(flavor: "xgboost", files: ["MLmodel", "model.ubj"]))
        #expect(Self.choice(nil, "lightgbm", [:], paths: ["model.txt"]) == .any)
    }

    @Test("a pickled estimator, another loader or none, and files that are not there are not")
    func others() {
        for (generic, facts, part) in [
            (
                Self.loader,
                ["data": "model.pkl", "model_class": "lightgbm.sklearn.LGBMClassifier"],
                "it is a lightgbm.sklearn.LGBMClassifier"
            ),
            ([:], Self.booster, "does not say which loader_module"),
            (nil, Self.booster, "no flavor python_function"),
            (["loader_module": "my.code"], Self.booster, "my.code loads it"),
            (["loader_module": "linaje.pyfunc"], Self.booster, "linaje.pyfunc loads it"),
            (Self.loader, [:], "names no one file"), (Self.loader, ["data": "x"], "names no one"),
            (Self.loader.merging(["data": "model.pkl"]) { $1 }, Self.booster, "names no one file"),
        ] as [([String: String]?, [String: String], String)] {
            let reason = Self.reason(Self.choice(generic, "lightgbm", facts))
            #expect(reason.contains(part), "\(reason)")
        }
        let schema = InputSchema.columns([.init(name: "a", type: .string, isRequired: true)])
        let choice = Self.choice(Self.loader, "lightgbm", Self.booster, schema: schema)
        #expect(Self.reason(choice).contains("column \"a\" of type string"))
    }
}
