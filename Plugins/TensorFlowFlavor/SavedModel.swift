/// What is taken from a `saved_model.pb`.
struct SavedModel {
    /// A way to call the model.
    struct Signature {
        var name = ""
        var method = ""
        var inputs: [Tensor] = []
        var outputs: [Tensor] = []
    }

    /// An input or output.
    struct Tensor {
        var name = ""
        var type: UInt64 = 0
        /// `nil` in the shape: any length; `nil` instead of it: any shape.
        var shape: [UInt64?]?
        /// Whether it is one tensor, not a sparse or composed one.
        var isDense = true
    }

    var schemaVersion: UInt64 = 0
    var graphs = 0
    var tags: Set<String> = []
    var tensorflowVersion = ""
    var signatures: [Signature] = []
    /// How often each operation stands, in the graphs and their functions.
    var operations: [String: Int] = [:]
    var nodes = 0
    var functions = 0
    /// Files that the graph names as its assets.
    var assets: [String] = []
}

/// The element types of TensorFlow (`types.proto`, DataType).
struct TensorFlowType {
    /// As descriptions of tensors name it.
    let name: String
    /// As NumPy calls it; `nil` where it has no such type.
    let numpy: String?
    /// Bytes of one element; 0 for texts.
    let bytes: UInt64

    init?(number: UInt64) {
        // References to variables are counted from 100 on.
        guard let type = Self.types[number > 100 ? number - 100 : number] else { return nil }
        (name, numpy, bytes) = type
    }

    private static let types: [UInt64: (String, String?, UInt64)] = [
        1: ("F32", "float32", 4), 2: ("F64", "float64", 8), 3: ("I32", "int32", 4),
        4: ("U8", "uint8", 1), 5: ("I16", "int16", 2), 6: ("I8", "int8", 1),
        7: ("STRING", "str", 0), 8: ("C64", "complex64", 8), 9: ("I64", "int64", 8),
        10: ("BOOL", "bool", 1), 14: ("BF16", nil, 2), 17: ("U16", "uint16", 2),
        18: ("C128", "complex128", 16), 19: ("F16", "float16", 2), 22: ("U32", "uint32", 4),
        23: ("U64", "uint64", 8),
    ]
}
