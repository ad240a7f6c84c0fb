import LinajeScoring

/// The nodes of ONNX's operator set for learned models (onnx/onnx, `docs/Operators-ml.md`), as
/// ONNX Runtime computes them (`onnxruntime/core/providers/cpu/ml`).
extension ONNXCompiler {
    mutating func addLearned(_ node: ONNXGraph.Node) throws {
        switch node.kind {
        case "Scaler": try scale(node)
        case "Normalizer": try normalize(node)
        case "Imputer": try impute(node)
        case "LinearRegressor": try regress(node)
        case "LinearClassifier": try classify(node)
        case "TreeEnsembleRegressor": try treeRegressor(node)
        case "TreeEnsembleClassifier": try treeClassifier(node)
        case "ArrayFeatureExtractor": try extract(node)
        case "ZipMap":
            // A map for each row: here it stays a vector, in the order of the labels.
            try alias(try rows(node), as: node.outputs.first)
        default: throw Unknown()
        }
    }

    // MARK: Preparation

    private mutating func scale(_ node: ONNXGraph.Node) throws {
        let column = try rows(node)
        let (offsets, scales) = (node.floats("offset"), node.floats("scale"))
        guard !column.isScalar, node.hasOnly(["offset", "scale"]), offsets.count == column.width,
            scales.count == column.width
        else { throw Unknown() }
        let target = try define(node.outputs.first, .float, column.width)
        steps.append { frame, count in
            var values = frame[column.slot].floats
            for row in 0..<count {
                for place in 0..<column.width {
                    let index = row * column.width + place
                    values[index] = (values[index] - offsets[place]) * scales[place]
                }
            }
            frame[target.slot].floats = values
        }
    }

    private mutating func normalize(_ node: ONNXGraph.Node) throws {
        let column = try rows(node)
        let norm = node.text("norm") ?? "MAX"
        guard !column.isScalar, node.hasOnly(["norm"]), ["L1", "L2"].contains(norm) else {
            throw Unknown()
        }
        let target = try define(node.outputs.first, .float, column.width)
        steps.append { frame, count in
            var values = frame[column.slot].floats
            for row in 0..<count {
                let range = (row * column.width)..<((row + 1) * column.width)
                let length =
                    norm == "L1"
                    ? values[range].reduce(0) { $0 + abs($1) }
                    : values[range].reduce(0) { $0 + $1 * $1 }.squareRoot()
                // A row of zeros stays as it is.
                guard length != 0 else { continue }
                for index in range { values[index] /= length }
            }
            frame[target.slot].floats = values
        }
    }

    private mutating func impute(_ node: ONNXGraph.Node) throws {
        let column = try rows(node)
        let imputed = node.floats("imputed_value_floats")
        let replaced = node.float("replaced_value_float") ?? 0
        guard !column.isScalar, node.hasOnly(["imputed_value_floats", "replaced_value_float"]),
            imputed.count == column.width || imputed.count == 1
        else { throw Unknown() }
        let target = try define(node.outputs.first, .float, column.width)
        steps.append { frame, count in
            var values = frame[column.slot].floats
            for row in 0..<count {
                for place in 0..<column.width {
                    let index = row * column.width + place
                    let isReplaced =
                        replaced.isNaN ? values[index].isNaN : values[index] == replaced
                    if isReplaced { values[index] = imputed[imputed.count == 1 ? 0 : place] }
                }
            }
            frame[target.slot].floats = values
        }
    }

    // MARK: Linear models

    /// The weights of a node, which stand output after output.
    private func linear(
        _ node: ONNXGraph.Node, _ features: Int, _ outputs: Int
    ) throws -> LinearModel {
        let coefficients = node.floats("coefficients")
        let intercepts = node.floats("intercepts")
        guard outputs > 0, features > 0, outputs <= 4_096,
            coefficients.count == features * outputs,
            intercepts.isEmpty || intercepts.count == outputs
        else { throw Unknown() }
        var weights = coefficients
        for output in 0..<outputs {
            for feature in 0..<features {
                weights[feature * outputs + output] = coefficients[output * features + feature]
            }
        }
        let base = intercepts.isEmpty ? [Float](repeating: 0, count: outputs) : intercepts
        guard let model = LinearModel(features: features, weights: weights, base: base) else {
            throw Unknown()
        }
        return model
    }

    private mutating func regress(_ node: ONNXGraph.Node) throws {
        let column = try rows(node)
        guard !column.isScalar,
            node.hasOnly(["coefficients", "intercepts", "post_transform", "targets"]),
            node.text("post_transform") ?? "NONE" == "NONE",
            let outputs = Int(exactly: node.integer("targets") ?? 1)
        else { throw Unknown() }
        let model = try linear(node, column.width, outputs)
        let target = try define(node.outputs.first, .float, outputs)
        steps.append { frame, _ in
            frame[target.slot].floats = model.sums(frame[column.slot].floats)
        }
    }

    private mutating func classify(_ node: ONNXGraph.Node) throws {
        let column = try rows(node)
        let labels = try ONNXLabels(
            node, integers: "classlabels_ints", texts: "classlabels_strings")
        guard !column.isScalar, labels.count >= 2,
            node.hasOnly([
                "classlabels_ints", "classlabels_strings", "coefficients", "intercepts",
                "multi_class", "post_transform",
            ])
        else { throw Unknown() }
        let link = try Self.link(node.text("post_transform"))
        let model = try linear(node, column.width, labels.count)
        let label = try define(node.outputs.first, labels.kind, 1, isScalar: true)
        let target = try define(node.outputs.dropFirst().first, .float, labels.count)
        steps.append { frame, _ in
            let scores = model.sums(frame[column.slot].floats)
            frame[label.slot].integers = LinkFunction.greatest(scores, labels.count)
                .map { labels.values[$0] }
            frame[target.slot].floats = link.apply(scores, width: labels.count)
        }
    }

    static func link(_ transform: String?) throws -> LinkFunction {
        switch transform ?? "NONE" {
        case "NONE": return .identity
        case "LOGISTIC": return .sigmoid(scale: 1)
        case "SOFTMAX": return .softmax
        default: throw Unknown()
        }
    }

    // MARK: Choosing

    /// The label of each row's place among the stored labels, or one column of all.
    private mutating func extract(_ node: ONNXGraph.Node) throws {
        guard node.inputs.count == 2, node.hasOnly([]) else { throw Unknown() }
        if let column = columns[node.inputs[0]], column.kind == .float, !column.isScalar {
            let places = try constant(node, 1).integers
            guard places.count == 1, let place = Int(exactly: places[0]),
                (0..<column.width).contains(place)
            else { throw Unknown() }
            let target = try define(node.outputs.first, .float, 1)
            steps.append { frame, count in
                let values = frame[column.slot].floats
                frame[target.slot].floats = (0..<count).map { values[$0 * column.width + place] }
            }
            return
        }
        let labels = try constant(node, 0)
        guard let places = columns[node.inputs[1]], places.kind == .integer, places.width == 1,
            let bound = places.bound, labels.shape.count == 1, labels.floats.isEmpty
        else { throw Unknown() }
        let values = labels.integers
        if values.isEmpty, labels.texts.count >= bound {
            let kind = Kind.label(labels.texts)
            return try alias(places, as: node.outputs.first, kind: kind, isScalar: false)
        }
        guard values.count >= bound, values.prefix(bound).allSatisfy(ONNXLabels.isExact) else {
            throw Unknown()
        }
        let target = try define(node.outputs.first, .integer, 1)
        steps.append { frame, _ in
            frame[target.slot].integers = frame[places.slot].integers.map { values[Int($0)] }
        }
    }
}

/// The labels of a classifier.
struct ONNXLabels {
    /// What stands for each: the label, or its index among the texts.
    let values: [Int64]
    let kind: ONNXCompiler.Kind

    var count: Int { values.count }

    /// Whether a label is the same as float64, which predictions are given as.
    static func isExact(_ label: Int64) -> Bool { label.magnitude <= 1 << 53 }

    init(_ node: ONNXGraph.Node, integers: String, texts: String) throws {
        let (numbers, names) = (node.integers(integers), node.texts(texts))
        guard numbers.isEmpty != names.isEmpty, numbers.allSatisfy(Self.isExact) else {
            throw ONNXCompiler.Unknown()
        }
        values = names.isEmpty ? numbers : names.indices.map { Int64($0) }
        kind = names.isEmpty ? .integer : .label(names)
    }
}
