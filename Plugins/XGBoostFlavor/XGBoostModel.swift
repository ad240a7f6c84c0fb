import Glibc
import LinajeDomain
import LinajeModelFiles
import LinajeScoring

/// An XGBoost model as it is read, and the scorer that it makes (dmlc/xgboost, `doc/model.schema`,
/// `src/learner.cc`).
struct XGBoostModel {
    let root: JSONValue
    let trees: [XGBoostTree]
    let path: String

    /// Objectives whose predictions are known: the link, and how the base score, which is written
    /// as a prediction, becomes a sum.
    private static let objectives: [String: (link: LinkFunction, base: Base)] = [
        "reg:squarederror": (.identity, .same), "reg:linear": (.identity, .same),
        "reg:squaredlogerror": (.identity, .same), "reg:pseudohubererror": (.identity, .same),
        "reg:absoluteerror": (.identity, .same), "reg:quantileerror": (.identity, .same),
        "rank:pairwise": (.identity, .same), "rank:ndcg": (.identity, .same),
        "rank:map": (.identity, .same), "binary:hinge": (.step, .same),
        "reg:logistic": (.sigmoid(scale: 1), .logit),
        "binary:logistic": (.sigmoid(scale: 1), .logit), "binary:logitraw": (.identity, .same),
        "count:poisson": (.exponential, .logarithm), "reg:gamma": (.exponential, .logarithm),
        "reg:tweedie": (.exponential, .logarithm), "survival:cox": (.exponential, .logarithm),
        "survival:aft": (.exponential, .logarithm), "multi:softprob": (.softmax, .same),
        "multi:softmax": (.greatest, .same),
    ]

    private enum Base {
        case same, logit, logarithm

        func sum(_ score: Float) -> Float {
            switch self {
            case .same: score
            case .logit: -logf(1 / score - 1)
            case .logarithm: logf(score)
            }
        }
    }

    /// - Parameter modelClass: The class that MLflow loads the model as; `nil`: a Booster.
    /// - Returns: `nil` when the library is needed.
    /// - Throws: `invalidArgument` when the model is damaged, `limitExceeded` when it is too large.
    func scorer(of modelClass: String?) throws -> XGBoostScorer? {
        guard let learner = root["learner"], let booster = learner["gradient_booster"],
            let parameters = learner["learner_model_param"],
            let features = parameters["num_feature"]?.integer.flatMap({ Int(exactly: $0) })
        else {
            throw LinajeError(
                .invalidArgument,
                "\(path) is no XGBoost model: it has no gradient_booster or learner_model_param")
        }
        guard features > 0, features <= TreeEnsembleBuilder<Float>.mostFeatures,
            let name = learner["objective"]?["name"]?.text, let objective = Self.objectives[name],
            let outputs = Self.outputs(parameters), let answer = Self.answer(modelClass, outputs),
            let base = Self.base(
                parameters, outputs: outputs.count, objective.base, objective: name)
        else { return nil }
        // A classifier of one class has nothing that its probabilities could be; two
        // probabilities for a row are two labels to it.
        let isMultiple = objective.link == .softmax || objective.link == .greatest
        guard !isMultiple || outputs.count > 1 && outputs.targets == 1 else { return nil }
        if case .classes = answer, outputs.count == 2, objective.link != .greatest { return nil }
        let names = learner["feature_names"]?.texts ?? []
        guard names.isEmpty || names.count == features else {
            throw LinajeError(
                .invalidArgument, "\(path) names \(names.count) of its \(features) features")
        }
        let isScikit = modelClass?.hasPrefix("xgboost.sklearn.") == true
        guard
            let made = try self.booster(
                booster, features: features, base: base,
                rounds: isScikit ? Self.bestRounds(learner) : nil)
        else { return nil }
        // A Booster predicts a DMatrix; scikit-learn's interface does so for linear models only.
        let isLinear = if case .linear = made { true } else { false }
        return XGBoostScorer(
            made, outputs: outputs.count, link: objective.link, answer: answer,
            takesInfinities: isScikit && !isLinear,
            features: names.isEmpty ? (0..<features).map { "f\($0)" } : names,
            hasNames: !names.isEmpty)
    }

    // MARK: Parts

    private static func outputs(_ parameters: JSONValue) -> (count: Int, targets: Int)? {
        let classes = max(1, parameters["num_class"]?.integer ?? 0)
        let targets = max(1, parameters["num_target"]?.integer ?? 1)
        // XGBoost has no models with both.
        guard classes == 1 || targets == 1, max(classes, targets) <= 4_096 else { return nil }
        return (Int(max(classes, targets)), Int(targets))
    }

    private static func answer(
        _ modelClass: String?, _ outputs: (count: Int, targets: Int)
    ) -> XGBoostScorer.Answer? {
        switch modelClass {
        case nil, "", "xgboost.core.Booster", "xgboost.sklearn.XGBRegressor",
            "xgboost.sklearn.XGBRFRegressor", "xgboost.sklearn.XGBRanker":
            .prediction
        case "xgboost.sklearn.XGBClassifier", "xgboost.sklearn.XGBRFClassifier":
            outputs.targets > 1 ? .labels : .classes
        default: nil
        }
    }

    /// Where the sums begin: "5E-1", or since 3.1 "[5E-1]" with a value for each output.
    private static func base(
        _ parameters: JSONValue, outputs: Int, _ base: Base, objective: String
    ) -> [Float]? {
        let text = parameters["base_score"]?.text ?? ""
        // Older versions took the base score of raw margins for a probability.
        guard text.hasPrefix("[") || objective != "binary:logitraw" else { return nil }
        let scores = text.filter { !"[] ".contains($0) }.split(separator: ",").map { Float($0) }
        guard scores.count == 1 || scores.count == outputs else { return nil }
        var sums: [Float] = []
        for score in scores {
            guard let score else { return nil }
            sums.append(base.sum(score))
        }
        return sums.count == outputs ? sums : [Float](repeating: sums[0], count: outputs)
    }

    /// How many rounds early stopping found best, which scikit-learn's interface goes by.
    private static func bestRounds(_ learner: JSONValue) -> Int64? {
        guard let best = learner["attributes"]?["best_iteration"]?.integer, best >= 0,
            best < Int64.max
        else { return nil }
        return best + 1
    }

    private func booster(
        _ booster: JSONValue, features: Int, base: [Float], rounds: Int64?
    ) throws -> XGBoostScorer.Booster? {
        switch booster["name"]?.text {
        case "gbtree":
            guard let model = booster["model"] else { return nil }
            return try ensemble(model, nil, features: features, base: base, rounds: rounds)
        case "dart":
            guard let model = booster["gbtree"]?["model"],
                let weights = booster["weight_drop"]?.elements
            else { return nil }
            return try ensemble(model, weights, features: features, base: base, rounds: rounds)
        case "gblinear":
            // XGBoost 3.2 adds the first base score to every output, where it should add its own.
            guard base.allSatisfy({ $0 == base.first }) else { return nil }
            let weights = booster["model"]?["weights"]?.elements?.map {
                $0.fact.flatMap { Float($0) }
            }
            guard let weights, weights.count == (features + 1) * base.count else { return nil }
            var numbers: [Float] = []
            for weight in weights {
                guard let weight else { return nil }
                numbers.append(weight)
            }
            // The bias of each output stands after the weights.
            let bias = numbers.suffix(base.count)
            let model = LinearModel(
                features: features, weights: numbers.dropLast(base.count).map { $0 },
                base: zip(base, bias).map { $1 + $0 }, skipsMissing: true)
            return model.map { .linear($0) }
        default: return nil
        }
    }

    private func ensemble(
        _ model: JSONValue, _ weights: [JSONValue]?, features: Int, base: [Float], rounds: Int64?
    ) throws -> XGBoostScorer.Booster? {
        // Categories that were texts or any numbers: XGBoost first looks them up.
        if let codes = model["cats"]?["enc"] {
            guard let columns = codes.elements, columns.allSatisfy({ $0["values"] == .array([]) })
            else { return nil }
        }
        guard let targets = model["tree_info"]?.elements else { return nil }
        guard targets.count == trees.count, weights == nil || weights?.count == trees.count else {
            throw LinajeError(
                .invalidArgument, "\(path) has \(trees.count) trees and \(targets.count) targets")
        }
        guard let used = Self.used(model, trees.count, rounds) else { return nil }
        var builder = try TreeEnsembleBuilder<Float>(name: path, features: features, base: base)
        for (index, tree) in trees.prefix(used).enumerated() {
            // Trees with several targets have vectors as leaves.
            guard tree.leafWidth <= 1 else { return nil }
            guard let target = targets[index].integer.flatMap({ Int(exactly: $0) }) else {
                throw LinajeError(.invalidArgument, "\(path) has damaged tree_info")
            }
            let weight = weights.map { $0[index].fact.flatMap { Float($0) } } ?? 1
            guard let weight else {
                throw LinajeError(.invalidArgument, "\(path) has damaged weights of its trees")
            }
            try tree.add(to: &builder, target: target, weight: weight, name: path)
        }
        return .trees(builder.finish())
    }

    /// How many trees the first `rounds` have: `iteration_indptr` says where each round begins.
    private static func used(_ model: JSONValue, _ trees: Int, _ rounds: Int64?) -> Int? {
        guard let rounds else { return trees }
        guard let ends = model["iteration_indptr"]?.elements, let round = Int(exactly: rounds),
            ends.indices.contains(round), let end = ends[round].integer, end >= 0
        else { return nil }
        return min(trees, Int(clamping: end))
    }
}
