import LinajeDomain
import LinajePluginKit
import LinajeScoring

/// Predicts as LightGBM's `Booster.predict` does: float64 throughout, what is missing said by each
/// split.
struct LightGBMScorer: ModelScorer {
    private let ensemble: TreeEnsemble<Double>
    private let outputs: Int
    private let link: LinkFunction
    /// What sums are divided by: the rounds of a random forest, whose trees are averaged.
    private let divisor: Double
    let layout: ScorerLayout

    init(
        ensemble: TreeEnsemble<Double>, outputs: Int, link: LinkFunction, divisor: Double,
        features: [String], hasNames: Bool
    ) {
        self.ensemble = ensemble
        self.outputs = outputs
        self.link = link
        self.divisor = divisor
        layout = ScorerLayout(
            features: features, hasNames: hasNames,
            outputs: [ScorerOutput(width: outputs, isVector: outputs > 1)])
    }

    func score(_ rows: [Double]) throws -> [Double] {
        let features = layout.features.count
        guard rows.count.isMultiple(of: features) else {
            throw LinajeError(
                .invalidArgument,
                "\(rows.count) values are no rows of \(features), which the model's features are")
        }
        let sums = ensemble.sums(rows)
        return link.apply(divisor == 1 ? sums : sums.map { $0 / divisor }, width: outputs)
    }
}
