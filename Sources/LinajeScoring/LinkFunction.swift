import Glibc

/// What makes predictions of the sums of a model: each library's formula, in its precision.
package enum LinkFunction: Sendable, Hashable {
    case identity
    /// 1 / (1 + exp(-scale · x)).
    case sigmoid(scale: Double)
    case exponential
    /// ln(1 + exp(x)).
    case softplus
    /// x · |x|.
    case signedSquare
    /// 1 above 0, else 0.
    case step
    /// exp(x) of each over their sum.
    case softmax
    /// The place of the greatest, the first of equals: one value for a row.
    case greatest

    /// How many values come out for `count` sums.
    package func width(of count: Int) -> Int { self == .greatest ? 1 : count }
}

// MARK: float32, as XGBoost computes

extension LinkFunction {
    /// The predictions for sums that stand row after row, `width` each.
    ///
    /// dmlc/xgboost, `src/common/math.h` and the objectives in `src/objective`: exp of float32,
    /// sums of softmax in float64.
    package func apply(_ sums: [Float], width: Int) -> [Float] {
        switch self {
        case .identity: return sums
        case .sigmoid(let scale):
            let scale = Float(scale)
            return sums.map { 1 / (expf(min(-$0 * scale, 88.7)) + 1) }
        case .exponential: return sums.map { expf($0) }
        case .softplus: return sums.map { log1pf(expf($0)) }
        case .signedSquare: return sums.map { $0 * abs($0) }
        case .step: return sums.map { $0 > 0 ? 1 : 0 }
        case .softmax:
            var out = sums
            for start in Self.rows(sums.count, width) {
                let greatest = sums[start..<(start + width)].reduce(-.infinity, max)
                var total = 0.0
                for index in start..<(start + width) {
                    out[index] = expf(sums[index] - greatest)
                    total += Double(out[index])
                }
                for index in start..<(start + width) { out[index] /= Float(total) }
            }
            return out
        case .greatest: return Self.greatest(sums, width).map { Float($0) }
        }
    }
}

// MARK: float64, as LightGBM computes

extension LinkFunction {
    /// The predictions for sums that stand row after row, `width` each.
    package func apply(_ sums: [Double], width: Int) -> [Double] {
        switch self {
        case .identity: return sums
        case .sigmoid(let scale): return sums.map { 1 / (1 + exp(-scale * $0)) }
        case .exponential: return sums.map { exp($0) }
        case .softplus: return sums.map { log1p(exp($0)) }
        case .signedSquare: return sums.map { $0 * abs($0) }
        case .step: return sums.map { $0 > 0 ? 1 : 0 }
        case .softmax:
            var out = sums
            for start in Self.rows(sums.count, width) {
                let greatest = sums[start..<(start + width)].reduce(-.infinity, max)
                var total = 0.0
                for index in start..<(start + width) {
                    out[index] = exp(sums[index] - greatest)
                    total += out[index]
                }
                for index in start..<(start + width) { out[index] /= total }
            }
            return out
        case .greatest: return Self.greatest(sums, width).map { Double($0) }
        }
    }

    /// Where whole rows begin.
    private static func rows(_ count: Int, _ width: Int) -> StrideTo<Int> {
        stride(from: 0, to: width > 0 ? count / width * width : 0, by: max(1, width))
    }

    /// The place of the greatest value of each row; the first of equals.
    package static func greatest<Value: Comparable>(_ values: [Value], _ width: Int) -> [Int] {
        rows(values.count, width).map { start in
            var best = start
            for index in start..<(start + width) where values[index] > values[best] {
                best = index
            }
            return best - start
        }
    }
}
