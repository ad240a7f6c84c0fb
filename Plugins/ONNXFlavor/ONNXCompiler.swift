import LinajeDomain
import LinajePluginKit
import LinajeScoring

/// Makes the steps of a scorer of an ONNX graph. Every name gets its kind and width here, and every
/// constant is checked against them, so that the steps need not ask.
struct ONNXCompiler {
    /// What the values of a name are.
    enum Kind: Equatable {
        case float, integer, truth
        /// Indices into texts.
        case label([String])
    }

    /// Values for each row.
    struct Column: Equatable {
        var slot: Int
        var kind: Kind
        var width: Int
        /// Whether a row is one number and no vector: the tensor has one dimension.
        var isScalar = false
        /// What whole numbers are below, from 0 on, where that is known.
        var bound: Int?
    }

    /// A node or shape that is not known: the library is needed.
    struct Unknown: Error {}

    let path: String
    var steps: [ONNXScorer.Step] = []
    var columns: [String: Column] = [:]
    private(set) var constants: [String: ONNXGraph.Tensor] = [:]
    private var slots = 0
    private var inputs: [ONNXScorer.Input] = []
    /// The widest row of any name.
    static let mostWidth = 65_536
    /// Most values that a scorer keeps besides the file's: a row under every name, the outputs,
    /// weights in another order.
    private static let mostValues = 4 << 20
    private var left = Self.mostValues

    init(path: String) { self.path = path }

    /// - Returns: `nil` when the library is needed.
    /// - Throws: `invalidArgument` when the graph is damaged, `limitExceeded` when it is too large.
    static func scorer(
        _ graph: ONNXGraph, of model: ONNXModel, path: String
    ) throws -> ONNXScorer? {
        var compiler = ONNXCompiler(path: path)
        do {
            return try compiler.compile(graph, model)
        } catch is Unknown {
            return nil
        }
    }

    private mutating func compile(
        _ graph: ONNXGraph, _ model: ONNXModel
    ) throws -> ONNXScorer {
        for tensor in graph.tensors { constants[tensor.name] = tensor }
        var features: [String] = []
        let taken = model.inputs.filter { !model.initializerNames.contains($0.name) }
        for input in taken { try take(input, &features, isAlone: taken.count == 1) }
        for node in graph.nodes { try add(node) }
        let frameWidth = Self.mostValues - left
        var outputs: [ONNXScorer.Output] = []
        var described: [ScorerOutput] = []
        for output in model.outputs {
            guard let column = columns[output.name] else { throw Unknown() }
            // The same name may stand here many times.
            let labels = if case .label(let labels) = column.kind { labels.count } else { 0 }
            try spend(column.width + labels)
            outputs.append(
                .init(slot: column.slot, width: column.width, isFloat: column.kind == .float))
            described.append(Self.describe(output.name, column))
        }
        guard !features.isEmpty, !outputs.isEmpty else { throw Unknown() }
        return ONNXScorer(
            inputs: inputs, outputs: outputs, slots: slots, frameWidth: frameWidth, steps: steps,
            layout: ScorerLayout(
                features: features, hasNames: taken.count > 1, outputs: described))
    }

    /// An input of rows of floats; several are columns with names.
    private mutating func take(
        _ input: ONNXModel.Value, _ features: inout [String], isAlone: Bool
    ) throws {
        guard let (type, shape) = input.tensor, type == 1, let shape, shape.count == 2,
            let length = shape[1], length > 0, length <= UInt64(Self.mostWidth),
            isAlone || length == 1, features.count < Self.mostWidth
        else { throw Unknown() }
        let width = Int(length)
        let column = try define(input.name, .float, width)
        inputs.append(.init(slot: column.slot, first: features.count, width: width))
        features += isAlone ? (0..<width).map { "f\($0)" } : [input.name]
    }

    private static func describe(_ name: String, _ column: Column) -> ScorerOutput {
        var output = ScorerOutput(
            name: name, width: column.width, isVector: !column.isScalar, kind: .float32)
        switch column.kind {
        case .float: break
        case .integer: output.kind = .int64
        case .truth: output.kind = .boolean
        case .label(let labels):
            output.kind = .label
            output.labels = labels
        }
        return output
    }

    // MARK: Parts

    /// Gives a name its place.
    mutating func define(
        _ name: String?, _ kind: Kind, _ width: Int, isScalar: Bool = false, bound: Int? = nil
    ) throws -> Column {
        guard let name, !name.isEmpty, width > 0, width <= Self.mostWidth,
            columns[name] == nil, constants[name] == nil, slots < 16_384
        else { throw Unknown() }
        try spend(width)
        let column = Column(
            slot: slots, kind: kind, width: width, isScalar: isScalar, bound: bound)
        slots += 1
        columns[name] = column
        return column
    }

    /// Takes room for values that the scorer keeps.
    mutating func spend(_ count: Int) throws {
        guard count <= left else { throw Unknown() }
        left -= count
    }

    /// An input of a node that has rows; of floats where nothing else is said.
    func rows(_ node: ONNXGraph.Node, _ index: Int = 0) throws -> Column {
        guard node.inputs.indices.contains(index), let column = columns[node.inputs[index]],
            column.kind == .float
        else { throw Unknown() }
        return column
    }

    /// An input of a node that is stored.
    func constant(_ node: ONNXGraph.Node, _ index: Int) throws -> ONNXGraph.Tensor {
        guard node.inputs.indices.contains(index), let tensor = constants[node.inputs[index]]
        else { throw Unknown() }
        return tensor
    }

    /// The floats of a stored tensor that stand for one row of `width`: one for each value.
    func broadcast(_ tensor: ONNXGraph.Tensor, to width: Int) throws -> [Float] {
        guard tensor.type == 1, tensor.shape.count <= 2,
            tensor.shape.dropLast().allSatisfy({ $0 == 1 }),
            tensor.floats.count == 1 || tensor.floats.count == width
        else { throw Unknown() }
        return tensor.floats.count == width
            ? tensor.floats : [Float](repeating: tensor.floats[0], count: width)
    }

    mutating func keep(_ tensor: ONNXGraph.Tensor, as name: String?) throws {
        guard let name, columns[name] == nil, constants[name] == nil else { throw Unknown() }
        constants[name] = tensor
    }
}
