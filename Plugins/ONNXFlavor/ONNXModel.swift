/// What is taken from an ONNX file.
struct ONNXModel {
    /// A tensor that is stored, with or without its data in the file.
    struct Tensor {
        var name = ""
        var type: UInt64 = 0
        var shape: [UInt64] = []
        /// How many elements; `nil` when the shape overflows.
        var elements: UInt64? {
            var product: UInt64 = 1
            for length in shape {
                let (next, overflow) = product.multipliedReportingOverflow(by: length)
                guard !overflow else { return nil }
                product = next
            }
            return product
        }
        /// Bytes of its data in the file, where they are given as bytes.
        var rawBytes: UInt64?
        /// Whether it says that its data are in another file.
        var isExternal = false
        /// Where, how it is written: "location", "offset", "length", "checksum".
        var external: [String: String] = [:]
        /// Whether one of these stands twice, so that readers differ in which they go by.
        var isAmbiguous = false
    }

    /// An input or output of the graph.
    struct Value {
        var name = ""
        /// The element type and the shape of a tensor; `nil` in the shape: any length.
        var tensor: (type: UInt64, shape: [UInt64?]?)?
        /// What it is when it is no tensor: "sequence", "map".
        var kind = ""
    }

    var irVersion: UInt64?
    var producer = ""
    var producerVersion = ""
    var domain = ""
    var modelVersion: UInt64?
    var graphName = ""
    var hasGraph = false
    /// Versions of the operator sets by domain; "" is ONNX's own.
    var opsets: [String: UInt64] = [:]
    var metadata: [String: String] = [:]
    /// How often each operator stands, by domain and name.
    var operators: [Operator: Int] = [:]
    var nodes = 0
    var subgraphs = 0
    /// The model's own functions.
    var functions: Set<Operator> = []
    var initializers: [Tensor] = []
    /// All tensors with their data elsewhere, wherever they stand.
    var externals: [Tensor] = []
    var initializerCount = 0
    var elements: UInt64 = 0
    var bytes: UInt64 = 0
    var inputs: [Value] = []
    var outputs: [Value] = []
    /// Initializers that older models list among the inputs.
    var initializerNames: Set<String> = []
    /// Tensors whose shape and data do not fit together.
    var misfits: [String] = []

    /// The name of an operator.
    struct Operator: Hashable, Comparable, CustomStringConvertible {
        var domain: String
        var name: String

        var description: String { domain.isEmpty ? name : "\(domain).\(name)" }

        static func < (left: Operator, right: Operator) -> Bool {
            (left.domain, left.name) < (right.domain, right.name)
        }
    }
}

/// The element types of ONNX (onnx.proto, TensorProto.DataType).
struct ONNXType {
    /// As descriptions of tensors name it.
    let name: String
    /// As NumPy calls it; `nil` where it has no such type.
    let numpy: String?
    /// Bits of one element; 0 for texts.
    let bits: UInt64

    init?(number: UInt64) {
        guard let type = Self.types[number] else { return nil }
        (name, numpy, bits) = type
    }

    private static let types: [UInt64: (String, String?, UInt64)] = [
        1: ("F32", "float32", 32), 2: ("U8", "uint8", 8), 3: ("I8", "int8", 8),
        4: ("U16", "uint16", 16), 5: ("I16", "int16", 16), 6: ("I32", "int32", 32),
        7: ("I64", "int64", 64), 8: ("STRING", "str", 0), 9: ("BOOL", "bool", 8),
        10: ("F16", "float16", 16), 11: ("F64", "float64", 64), 12: ("U32", "uint32", 32),
        13: ("U64", "uint64", 64), 14: ("C64", "complex64", 64), 15: ("C128", "complex128", 128),
        16: ("BF16", nil, 16), 17: ("F8_E4M3", nil, 8), 18: ("F8_E4M3FNUZ", nil, 8),
        19: ("F8_E5M2", nil, 8), 20: ("F8_E5M2FNUZ", nil, 8), 21: ("U4", nil, 4),
        22: ("I4", nil, 4), 23: ("F4", nil, 4), 24: ("F8_E8M0", nil, 8), 25: ("U2", nil, 2),
        26: ("I2", nil, 2),
    ]
}
