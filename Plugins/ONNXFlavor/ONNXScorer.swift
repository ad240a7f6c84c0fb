import LinajeDomain
import LinajePluginKit

/// Computes an ONNX graph of known nodes over rows, in float32 as ONNX runtimes do.
struct ONNXScorer: ModelScorer {
    /// The values of a name for some rows, row after row.
    struct Values: Sendable {
        var floats: [Float] = []
        var integers: [Int64] = []
    }

    /// The values of all names.
    typealias Frame = [Values]
    /// One node: reads and writes the frame; gets how many rows it has.
    typealias Step = @Sendable (inout Frame, Int) -> Void

    /// Where an input takes its values from.
    struct Input: Sendable {
        var slot: Int
        var first: Int
        var width: Int
    }

    /// Where an output is.
    struct Output: Sendable {
        var slot: Int
        var width: Int
        var isFloat: Bool
    }

    /// Most rows that go through the steps together, and most values of theirs under all names.
    private static let rowsAtOnce = 4_096
    private static let valuesAtOnce = 16 << 20

    let inputs: [Input]
    let outputs: [Output]
    let slots: Int
    /// How many values a row has under all names together.
    let frameWidth: Int
    let steps: [Step]
    let layout: ScorerLayout

    func score(_ rows: [Double]) throws -> [Double] {
        let features = layout.features.count
        guard rows.count.isMultiple(of: features) else {
            throw LinajeError(
                .invalidArgument,
                "\(rows.count) values are no rows of \(features), which the model's features are")
        }
        let count = rows.count / features
        let width = layout.width
        let most = max(1, min(Self.rowsAtOnce, Self.valuesAtOnce / max(1, frameWidth)))
        var out: [Double] = []
        out.reserveCapacity(count * width)
        for start in stride(from: 0, to: count, by: most) {
            let here = min(most, count - start)
            let frame = compute(rows, from: start, here)
            for row in 0..<here {
                for output in outputs {
                    let range = (row * output.width)..<((row + 1) * output.width)
                    let values = frame[output.slot]
                    if output.isFloat {
                        out += values.floats[range].lazy.map { Double($0) }
                    } else {
                        out += values.integers[range].lazy.map { Double($0) }
                    }
                }
            }
        }
        return out
    }

    private func compute(_ rows: [Double], from start: Int, _ count: Int) -> Frame {
        let features = layout.features.count
        var frame = Frame(repeating: Values(), count: slots)
        for input in inputs {
            var values: [Float] = []
            values.reserveCapacity(count * input.width)
            for row in start..<(start + count) {
                let first = row * features + input.first
                values += rows[first..<(first + input.width)].lazy.map { Float($0) }
            }
            frame[input.slot].floats = values
        }
        for step in steps { step(&frame, count) }
        return frame
    }
}
