/// Weighted sums of the values of a row, in float32.
package struct LinearModel: Sendable {
    package let features: Int
    package let outputs: Int
    /// Feature after feature, a weight for each output.
    private let weights: [Float]
    private let base: [Float]
    private let skipsMissing: Bool

    /// - Parameters:
    ///   - weights: Feature after feature, a weight for each output.
    ///   - base: What is added to each output.
    ///   - skipsMissing: Whether NaN adds nothing, instead of making the sum NaN.
    /// - Returns: `nil` when there are not as many weights as features and outputs need.
    package init?(features: Int, weights: [Float], base: [Float], skipsMissing: Bool = false) {
        guard features > 0, !base.isEmpty, weights.count / base.count == features,
            weights.count % base.count == 0
        else { return nil }
        self.features = features
        outputs = base.count
        self.weights = weights
        self.base = base
        self.skipsMissing = skipsMissing
    }

    /// The sums of rows, row after row. What is left over after the last whole row is not looked
    /// at.
    package func sums<Value: BinaryFloatingPoint>(_ rows: [Value]) -> [Float] {
        let count = rows.count / features
        var out: [Float] = []
        out.reserveCapacity(count * outputs)
        for row in 0..<count {
            var sums = base
            for feature in 0..<features {
                let value = Float(rows[row * features + feature])
                if skipsMissing, value.isNaN { continue }
                for output in 0..<outputs {
                    sums[output] += value * weights[feature * outputs + output]
                }
            }
            out += sums
        }
        return out
    }
}
