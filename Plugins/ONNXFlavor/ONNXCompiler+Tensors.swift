import Glibc
import LinajeScoring

/// The nodes of ONNX's own operator set that scikit-learn's converter writes (onnx/onnx,
/// `docs/Operators.md`), on rows of numbers.
extension ONNXCompiler {
    mutating func add(_ node: ONNXGraph.Node) throws {
        switch (node.domain, node.kind) {
        case ("", "Identity"): try identity(node)
        case ("", "Constant"):
            guard case .tensor(let tensor) = node.attributes["value"], node.hasOnly(["value"])
            else { throw Unknown() }
            try keep(tensor, as: node.outputs.first)
        case ("", "Cast"): try cast(node)
        case ("", "MatMul"), ("", "Gemm"): try multiply(node)
        case ("", "Add"): try combine(node) { $0 + $1 }
        case ("", "Sub"): try combine(node) { $0 - $1 }
        case ("", "Mul"): try combine(node) { $0 * $1 }
        case ("", "Div"): try combine(node) { $0 / $1 }
        case ("", "Sigmoid"): try map(node) { 1 / (1 + expf(-$0)) }
        case ("", "Exp"): try map(node) { expf($0) }
        case ("", "Neg"): try map(node) { -$0 }
        case ("", "Reciprocal"): try map(node) { 1 / $0 }
        case ("", "Softmax"): try softmax(node)
        case ("", "Clip"): try clip(node)
        case ("", "Concat"): try concatenate(node)
        case ("", "ArgMax"): try argMax(node)
        case ("", "ReduceSum"): try reduceSum(node)
        case ("", "Not"): try not(node)
        case ("", "Reshape"): try reshape(node)
        case ("ai.onnx.ml", _): try addLearned(node)
        default: throw Unknown()
        }
    }

    /// The same values under another name, maybe of another form.
    mutating func alias(
        _ column: Column, as name: String?, kind: Kind? = nil, isScalar: Bool? = nil
    ) throws {
        let target = try define(
            name, kind ?? column.kind, column.width, isScalar: isScalar ?? column.isScalar,
            bound: column.bound)
        steps.append { frame, _ in frame[target.slot] = frame[column.slot] }
    }

    private mutating func identity(_ node: ONNXGraph.Node) throws {
        guard let name = node.inputs.first else { throw Unknown() }
        if let column = columns[name] {
            try alias(column, as: node.outputs.first)
        } else {
            try keep(try constant(node, 0), as: node.outputs.first)
        }
    }

    /// Between whole numbers, to truths and from them; floats are not cut to whole numbers.
    private mutating func cast(_ node: ONNXGraph.Node) throws {
        guard let name = node.inputs.first, let column = columns[name],
            node.hasOnly(["to", "saturate"])
        else { throw Unknown() }
        let output = node.outputs.first
        let (width, isScalar) = (column.width, column.isScalar)
        switch (column.kind, node.integer("to")) {
        case (.float, 1), (.integer, 6), (.integer, 7), (.label, 8), (.truth, 9):
            try alias(column, as: output)
        case (.truth, 6), (.truth, 7): try alias(column, as: output, kind: .integer)
        case (.integer, 1), (.truth, 1):
            let target = try define(output, .float, width, isScalar: isScalar)
            steps.append { frame, _ in
                frame[target.slot].floats = frame[column.slot].integers.map { Float($0) }
            }
        case (.float, 9):
            let target = try define(output, .truth, width, isScalar: isScalar)
            steps.append { frame, _ in
                frame[target.slot].integers = frame[column.slot].floats.map { $0 == 0 ? 0 : 1 }
            }
        default: throw Unknown()
        }
    }

    private mutating func multiply(_ node: ONNXGraph.Node) throws {
        let column = try rows(node)
        let matrix = try constant(node, 1)
        let isGemm = node.kind == "Gemm"
        guard !column.isScalar, matrix.type == 1,
            matrix.shape.count == 2 || (matrix.shape.count == 1 && !isGemm),
            node.hasOnly(isGemm ? ["alpha", "beta", "transA", "transB"] : []),
            node.integer("transA") ?? 0 == 0, node.float("alpha") ?? 1 == 1,
            node.float("beta") ?? 1 == 1
        else { throw Unknown() }
        // A vector gives one number for each row.
        let isVector = matrix.shape.count == 1
        let shape = matrix.shape + (isVector ? [1] : [])
        let isTransposed = node.integer("transB") ?? 0 != 0
        let (inner, outer) = isTransposed ? (shape[1], shape[0]) : (shape[0], shape[1])
        guard inner == column.width, outer > 0 else { throw Unknown() }
        var weights = matrix.floats
        if isTransposed {
            try spend(weights.count)
            for row in 0..<inner {
                for output in 0..<outer {
                    weights[row * outer + output] = matrix.floats[output * inner + row]
                }
            }
        }
        let base =
            isGemm && node.inputs.count > 2
            ? try broadcast(try constant(node, 2), to: outer) : [Float](repeating: 0, count: outer)
        guard let model = LinearModel(features: inner, weights: weights, base: base) else {
            throw Unknown()
        }
        let target = try define(node.outputs.first, .float, outer, isScalar: isVector)
        steps.append { frame, _ in
            frame[target.slot].floats = model.sums(frame[column.slot].floats)
        }
    }

    /// A node of two inputs, one of which may be stored or one value for a row.
    private mutating func combine(
        _ node: ONNXGraph.Node, _ combine: @escaping @Sendable (Float, Float) -> Float
    ) throws {
        guard node.inputs.count == 2, node.hasOnly([]) else { throw Unknown() }
        let sides = node.inputs.map { columns[$0] }
        let known = sides.compactMap { $0 }
        guard let width = known.map(\.width).max(), let first = known.first,
            known.allSatisfy({ $0.kind == .float && $0.isScalar == first.isScalar })
        else { throw Unknown() }
        // A stored row wider than what it is combined with would widen it.
        let wide = try (0..<2).map { index -> [Float]? in
            if let side = sides[index] {
                guard side.width == width || (side.width == 1 && !side.isScalar) else {
                    throw Unknown()
                }
                return nil
            }
            let tensor = try constant(node, index)
            guard !first.isScalar || tensor.count == 1 && tensor.shape.count <= 1 else {
                throw Unknown()
            }
            return try broadcast(tensor, to: width)
        }
        let target = try define(node.outputs.first, .float, width, isScalar: first.isScalar)
        steps.append { frame, count in
            let left = wide[0] ?? frame[sides[0]?.slot ?? 0].floats
            let right = wide[1] ?? frame[sides[1]?.slot ?? 0].floats
            let (leftWidth, rightWidth) = (sides[0]?.width ?? 0, sides[1]?.width ?? 0)
            var out: [Float] = []
            out.reserveCapacity(count * width)
            for row in 0..<count {
                for column in 0..<width {
                    let first = row * leftWidth + (leftWidth == 1 ? 0 : column)
                    let second = row * rightWidth + (rightWidth == 1 ? 0 : column)
                    out.append(combine(left[first], right[second]))
                }
            }
            frame[target.slot].floats = out
        }
    }

    private mutating func map(
        _ node: ONNXGraph.Node, _ function: @escaping @Sendable (Float) -> Float
    ) throws {
        guard node.inputs.count == 1, node.hasOnly([]) else { throw Unknown() }
        let column = try rows(node)
        let target = try define(
            node.outputs.first, .float, column.width, isScalar: column.isScalar)
        steps.append { frame, _ in
            frame[target.slot].floats = frame[column.slot].floats.map(function)
        }
    }

    private mutating func softmax(_ node: ONNXGraph.Node) throws {
        let column = try rows(node)
        guard !column.isScalar, node.hasOnly(["axis"]),
            [1, -1].contains(node.integer("axis") ?? -1)
        else { throw Unknown() }
        let target = try define(node.outputs.first, .float, column.width)
        steps.append { frame, _ in
            frame[target.slot].floats = LinkFunction.softmax.apply(
                frame[column.slot].floats, width: column.width)
        }
    }

    private mutating func clip(_ node: ONNXGraph.Node) throws {
        let column = try rows(node)
        guard node.hasOnly(["min", "max"]) else { throw Unknown() }
        var bounds = [
            node.float("min") ?? -.greatestFiniteMagnitude,
            node.float("max") ?? .greatestFiniteMagnitude,
        ]
        if node.inputs.count > 1 { bounds = [-.infinity, .infinity] }
        for index in 1..<max(1, node.inputs.count) where !node.inputs[index].isEmpty {
            let tensor = try constant(node, index)
            guard index <= 2, tensor.type == 1, tensor.floats.count == 1 else { throw Unknown() }
            bounds[index - 1] = tensor.floats[0]
        }
        let (low, high) = (bounds[0], bounds[1])
        let target = try define(
            node.outputs.first, .float, column.width, isScalar: column.isScalar)
        steps.append { frame, _ in
            frame[target.slot].floats = frame[column.slot].floats.map { value in
                // NaN stays NaN.
                value < low ? low : value > high ? high : value
            }
        }
    }

    private mutating func concatenate(_ node: ONNXGraph.Node) throws {
        guard node.hasOnly(["axis"]), [1, -1].contains(node.integer("axis") ?? 0),
            (1...Self.mostWidth).contains(node.inputs.count)
        else { throw Unknown() }
        let parts = try node.inputs.indices.map { try rows(node, $0) }
        guard parts.allSatisfy({ !$0.isScalar }) else { throw Unknown() }
        let width = parts.reduce(0) { $0 + $1.width }
        let target = try define(node.outputs.first, .float, width)
        steps.append { frame, count in
            var out: [Float] = []
            out.reserveCapacity(count * width)
            for row in 0..<count {
                for part in parts {
                    let range = (row * part.width)..<((row + 1) * part.width)
                    out += frame[part.slot].floats[range]
                }
            }
            frame[target.slot].floats = out
        }
    }

    private mutating func argMax(_ node: ONNXGraph.Node) throws {
        let column = try rows(node)
        let keeps = node.integer("keepdims") ?? 1 != 0
        guard !column.isScalar, node.hasOnly(["axis", "keepdims", "select_last_index"]),
            [1, -1].contains(node.integer("axis") ?? 0), node.integer("select_last_index") ?? 0 == 0
        else { throw Unknown() }
        let target = try define(
            node.outputs.first, .integer, 1, isScalar: !keeps, bound: column.width)
        steps.append { frame, _ in
            frame[target.slot].integers = LinkFunction.greatest(
                frame[column.slot].floats, column.width
            ).map { Int64($0) }
        }
    }

    private mutating func reduceSum(_ node: ONNXGraph.Node) throws {
        let column = try rows(node)
        let axes = node.inputs.count > 1 ? try constant(node, 1).integers : node.integers("axes")
        guard !column.isScalar, node.hasOnly(["axes", "keepdims", "noop_with_empty_axes"]),
            axes == [1] || axes == [-1]
        else { throw Unknown() }
        let keeps = node.integer("keepdims") ?? 1 != 0
        let target = try define(node.outputs.first, .float, 1, isScalar: !keeps)
        steps.append { frame, count in
            let values = frame[column.slot].floats
            frame[target.slot].floats = (0..<count).map { row in
                values[(row * column.width)..<((row + 1) * column.width)].reduce(0, +)
            }
        }
    }

    private mutating func not(_ node: ONNXGraph.Node) throws {
        guard let name = node.inputs.first, let column = columns[name], column.kind == .truth,
            node.hasOnly([])
        else { throw Unknown() }
        let target = try define(
            node.outputs.first, .truth, column.width, isScalar: column.isScalar)
        steps.append { frame, _ in
            frame[target.slot].integers = frame[column.slot].integers.map { 1 - $0 }
        }
    }

    /// Only between a column of vectors of one value and one of numbers, and to the same shape.
    private mutating func reshape(_ node: ONNXGraph.Node) throws {
        guard let name = node.inputs.first, let column = columns[name],
            node.hasOnly(["allowzero"])
        else { throw Unknown() }
        let shape = try constant(node, 1).integers
        switch shape {
        case [-1] where column.width == 1:
            try alias(column, as: node.outputs.first, isScalar: true)
        case [-1, Int64(column.width)]:
            try alias(column, as: node.outputs.first, isScalar: false)
        default: throw Unknown()
        }
    }
}
