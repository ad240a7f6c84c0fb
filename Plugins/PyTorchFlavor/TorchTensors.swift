import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// The tensors of an object of torch, by the names that a state dict gives them.
struct TorchTensors {
    /// How deep values are looked at, and how many.
    private static let mostDepth = 64
    private static let mostValues = 1_000_000
    private static let mostDimensions: UInt32 = 64
    /// Longest name in bytes: a value may be reached by as many names as there are ways to it.
    private static let mostNameBytes = 2_048

    private(set) var tensors: [TensorDescription] = []
    /// All of them, also those past the bounds.
    private(set) var count = 0
    /// Elements of those that are the model's, each place of a storage once.
    private(set) var parameters: UInt64 = 0
    private(set) var dtypes: Set<String> = []
    private(set) var isCut = false
    private var values = 0
    private var seen: Set<String> = []

    init(_ root: PickleNode) {
        // Of a checkpoint only the model counts, not the state of the optimizer beside it.
        let inner = ["state_dict", "model_state_dict", "model", "module"].first {
            root[key: $0]?.entries != nil || root[key: $0]?.state != nil
        }
        for (key, value) in root.entries ?? [] where inner != nil {
            guard let name = key.text else { continue }
            walk(value, name, 1, isModel: name == inner)
        }
        if inner == nil { walk(root, "", 0, isModel: true) }
    }

    static func isTensor(_ node: PickleNode) -> Bool {
        node.maker.map { $0.module == "torch._utils" && $0.name.hasPrefix("_rebuild_") } ?? false
    }

    private mutating func walk(_ node: PickleNode, _ name: String, _ depth: Int, isModel: Bool) {
        values += 1
        guard depth < Self.mostDepth, values < Self.mostValues,
            name.utf8.count <= Self.mostNameBytes
        else {
            isCut = true
            return
        }
        if Self.isTensor(node) { return add(node, name, isModel) }
        if let state = node.state, node.entries == nil {
            // A module: its parameters and buffers, and its parts.
            for (key, value) in state.entries ?? [] {
                switch key.text {
                case "_parameters", "_buffers", "_modules":
                    walk(value, name, depth + 1, isModel: isModel)
                default: break
                }
            }
            return
        }
        for (key, value) in node.entries ?? [] {
            let part = key.text ?? key.int.map { String($0) } ?? "?"
            walk(value, name.isEmpty ? part : "\(name).\(part)", depth + 1, isModel: isModel)
        }
        guard node.entries == nil else { return }
        for (index, value) in (node.elements ?? []).enumerated() {
            walk(value, name.isEmpty ? "\(index)" : "\(name).\(index)", depth + 1, isModel: isModel)
        }
    }

    private mutating func add(_ node: PickleNode, _ name: String, _ isModel: Bool) {
        var node = node
        // A parameter is a tensor with a flag.
        if node.maker?.name == "_rebuild_parameter", let inner = node.arguments.first {
            node = inner
        }
        let arguments = node.arguments
        guard let maker = node.maker, arguments.count >= 3, let storage = arguments[0].torchStorage,
            let shape = Self.shape(arguments[2])
        else {
            count += 1
            return
        }
        var dtype = storage.typeName
        if maker.name == "_rebuild_tensor_v3", arguments.count >= 7,
            let named = arguments[6].global, let known = TorchTypes.dtype(named.name)
        {
            dtype = known.name
        }
        count += 1
        dtypes.insert(dtype)
        if tensors.count < ModelDescription.Bounds.tensors {
            tensors.append(TensorDescription(name: name, dtype: dtype, shape: shape))
        }
        guard isModel, seen.insert("\(storage.key)@\(arguments[1].int ?? 0)").inserted else {
            return
        }
        var elements: UInt64 = 1
        for dimension in shape {
            let (product, overflow) = elements.multipliedReportingOverflow(by: dimension)
            elements = overflow ? .max : product
        }
        let (sum, overflow) = parameters.addingReportingOverflow(elements)
        parameters = overflow ? .max : sum
    }

    private static func shape(_ node: PickleNode) -> [UInt64]? {
        guard let parts = node.elements(most: mostDimensions) else { return nil }
        let shape = parts.compactMap { $0.int.flatMap { UInt64(exactly: $0) } }
        return shape.count == parts.count ? shape : nil
    }
}
