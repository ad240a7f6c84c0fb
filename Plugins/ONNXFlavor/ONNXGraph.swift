/// The nodes and stored tensors of an ONNX graph, as far as they are scored.
struct ONNXGraph {
    /// A value that a node has besides its inputs.
    enum Attribute {
        case float(Float)
        case integer(Int64)
        case text(String)
        case floats([Float])
        case integers([Int64])
        case texts([String])
        case tensor(Tensor)
    }

    /// A tensor with its data. Whole numbers and truths are `integers`.
    struct Tensor {
        var name = ""
        var type: UInt64 = 0
        var shape: [Int] = []
        var floats: [Float] = []
        var integers: [Int64] = []
        var texts: [String] = []

        /// How many elements it has.
        var count: Int { max(floats.count, integers.count, texts.count) }

        /// Whether its data are of its type, no others, and as many as its shape says; the numbers
        /// of ONNX's types.
        var isWhole: Bool {
            var product = 1
            for length in shape {
                let (next, overflow) = product.multipliedReportingOverflow(by: length)
                guard !overflow else { return false }
                product = next
            }
            return switch type {
            case 1: floats.count == product && integers.isEmpty && texts.isEmpty
            case 6, 7, 9: integers.count == product && floats.isEmpty && texts.isEmpty
            case 8: texts.count == product && floats.isEmpty && integers.isEmpty
            default: false
            }
        }
    }

    struct Node {
        var kind = ""
        var domain = ""
        var inputs: [String] = []
        var outputs: [String] = []
        var attributes: [String: Attribute] = [:]
    }

    var nodes: [Node] = []
    var tensors: [Tensor] = []
}

extension ONNXGraph.Node {
    func float(_ name: String) -> Float? {
        if case .float(let value) = attributes[name] { value } else { nil }
    }

    func integer(_ name: String) -> Int64? {
        if case .integer(let value) = attributes[name] { value } else { nil }
    }

    func text(_ name: String) -> String? {
        if case .text(let value) = attributes[name] { value } else { nil }
    }

    func floats(_ name: String) -> [Float] {
        if case .floats(let values) = attributes[name] { values } else { [] }
    }

    func integers(_ name: String) -> [Int64] {
        if case .integers(let values) = attributes[name] { values } else { [] }
    }

    func texts(_ name: String) -> [String] {
        if case .texts(let values) = attributes[name] { values } else { [] }
    }

    /// Whether it has no other attributes than these: what is not known may change its meaning.
    func hasOnly(_ names: Set<String>) -> Bool { attributes.keys.allSatisfy(names.contains) }
}
