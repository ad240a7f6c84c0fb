import LinajeDomain
import LinajePluginKit
import LinajeScoring

/// Predicts as XGBoost does: float32 in, float32 sums in the order of the trees, the objective's
/// link; NaN is missing.
struct XGBoostScorer: ModelScorer {
    /// What makes the sums.
    enum Booster: Sendable {
        case trees(TreeEnsemble<Float>)
        case linear(LinearModel)
    }

    /// Whose `predict` comes first.
    enum Answer: Sendable {
        /// What `Booster.predict` returns.
        case prediction
        /// The class, as `XGBClassifier.predict` returns it, then what `predict_proba` does.
        case classes
        /// For each of several labels whether it applies, then the probabilities.
        case labels
    }

    let booster: Booster
    let outputs: Int
    let link: LinkFunction
    let answer: Answer
    /// Whether infinities are numbers, as for `inplace_predict`; a DMatrix has none.
    let takesInfinities: Bool
    let layout: ScorerLayout

    init(
        _ booster: Booster, outputs: Int, link: LinkFunction, answer: Answer,
        takesInfinities: Bool, features: [String], hasNames: Bool
    ) {
        self.booster = booster
        self.outputs = outputs
        self.link = link
        self.answer = answer
        self.takesInfinities = takesInfinities
        let width = link.width(of: outputs)
        let outputs: [ScorerOutput]
        switch answer {
        case .prediction:
            outputs = [ScorerOutput(width: width, isVector: width > 1, kind: .float32)]
        case .classes where link == .greatest:
            outputs = [ScorerOutput(kind: .int64)]
        case .classes:
            outputs = [
                ScorerOutput(kind: .int64),
                ScorerOutput(
                    name: "probability", width: max(2, width), isVector: true, kind: .float32),
            ]
        case .labels:
            outputs = [
                ScorerOutput(width: width, isVector: true),
                ScorerOutput(name: "probability", width: width, isVector: true, kind: .float32),
            ]
        }
        layout = ScorerLayout(features: features, hasNames: hasNames, outputs: outputs)
    }

    func score(_ rows: [Double]) throws -> [Double] {
        let features = layout.features.count
        guard rows.count.isMultiple(of: features) else {
            throw LinajeError(
                .invalidArgument,
                "\(rows.count) values are no rows of \(features), which the model's features are")
        }
        if !takesInfinities { try refuseInfinities(rows) }
        let sums: [Float]
        switch booster {
        case .trees(let ensemble): sums = ensemble.sums(rows)
        case .linear(let model): sums = model.sums(rows)
        }
        let predictions = link.apply(sums, width: outputs)
        switch answer {
        case .prediction: return predictions.map { Double($0) }
        case .classes where link == .greatest: return predictions.map { Double($0) }
        case .classes: return classes(predictions)
        case .labels:
            var out: [Double] = []
            out.reserveCapacity(predictions.count * 2)
            for start in stride(from: 0, to: predictions.count, by: outputs) {
                let row = predictions[start..<(start + outputs)]
                out += row.map { $0 > 0.5 ? 1 : 0 }
                out += row.map { Double($0) }
            }
            return out
        }
    }

    /// - Throws: `invalidArgument` naming the first value that is infinite as float32.
    private func refuseInfinities(_ rows: [Double]) throws {
        guard let place = rows.firstIndex(where: { Float($0).isInfinite }) else { return }
        let (row, column) = place.quotientAndRemainder(dividingBy: layout.features.count)
        throw LinajeError(
            .invalidArgument,
            "row \(row + 1) of those given together has \(rows[place]) as "
                + "\"\(layout.features[column].prefix(80))\"; XGBoost refuses what is infinite in "
                + "float32: leave the value out, or give NaN, where it is missing")
    }

    /// xgboost, `sklearn.py`, `XGBClassifier.predict` and `predict_proba`.
    private func classes(_ predictions: [Float]) -> [Double] {
        var out: [Double] = []
        guard outputs > 1 else {
            out.reserveCapacity(predictions.count * 3)
            for probability in predictions {
                out += [probability > 0.5 ? 1 : 0, Double(1 - probability), Double(probability)]
            }
            return out
        }
        out.reserveCapacity(predictions.count / outputs * (outputs + 1))
        for (row, best) in LinkFunction.greatest(predictions, outputs).enumerated() {
            out.append(Double(best))
            out += predictions[(row * outputs)..<((row + 1) * outputs)].map { Double($0) }
        }
        return out
    }
}
