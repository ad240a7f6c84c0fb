import LinajeDomain

/// What a model takes: the inputs of its signature (MLflow 3, `types/schema.py`).
enum InputSchema: Sendable, Equatable {
    case columns([Column])
    /// Tensors by name; the only one may have none.
    case tensors([Tensor])

    struct Column: Sendable, Equatable {
        /// `nil`: known by its place.
        var name: String?
        var type: ColumnType
        var isRequired: Bool
    }

    struct Tensor: Sendable, Equatable {
        var name: String?
        /// As NumPy calls it.
        var dtype: String
        /// -1: any length.
        var shape: [Int64]
    }

    /// - Parameter signature: {"inputs", "outputs", "params"} of a model's description; empty: none.
    /// - Returns: `nil` when it says nothing of the inputs.
    /// - Throws: `invalidArgument` for a signature that MLflow would not read either.
    init?(signature: String) throws {
        guard !signature.isEmpty else { return nil }
        let root = try JSONNodeParser.parse(Array(signature.utf8))
        guard case .array(let inputs)? = try root.members(of: "the signature")["inputs"],
            !inputs.isEmpty
        else { return nil }
        let specs = try inputs.map { try $0.members(of: "an input of the signature") }
        if specs.contains(where: { $0["type"] == .string("tensor") }) {
            self = .tensors(try specs.map(Tensor.init))
        } else {
            self = .columns(specs.map(Column.init))
        }
    }

    /// The columns; those of several named tensors of one column each, too. `nil` for other tensors.
    var columns: [Column]? {
        switch self {
        case .columns(let columns): return columns
        case .tensors(let tensors):
            let columns = tensors.compactMap { tensor in
                tensor.shape == [-1, 1] && tensor.name != nil
                    ? Column(name: tensor.name, type: tensor.type, isRequired: true) : nil
            }
            return tensors.count > 1 && columns.count == tensors.count ? columns : nil
        }
    }

    /// The names of the columns that have one.
    var names: [String] {
        switch self {
        case .columns(let columns): columns.compactMap(\.name)
        case .tensors(let tensors): tensors.compactMap(\.name)
        }
    }
}

/// The type of a column.
enum ColumnType: Sendable, Equatable {
    case boolean, integer, long, float, double, string, binary, datetime
    /// "any", lists, objects and what MLflow may add: left to the library.
    case other(String)
    /// There is no signature.
    case unknown

    init(named name: String) {
        switch name {
        case "boolean": self = .boolean
        case "integer": self = .integer
        case "long": self = .long
        case "float": self = .float
        case "double": self = .double
        case "string": self = .string
        case "binary": self = .binary
        case "datetime": self = .datetime
        default: self = .other(name)
        }
    }

    var name: String {
        switch self {
        case .boolean: "boolean"
        case .integer: "integer"
        case .long: "long"
        case .float: "float"
        case .double: "double"
        case .string: "string"
        case .binary: "binary"
        case .datetime: "datetime"
        case .other(let name): name
        case .unknown: "unknown"
        }
    }

    /// Whether its values are numbers to a scorer.
    var isNumeric: Bool {
        switch self {
        case .boolean, .integer, .long, .float, .double, .unknown: true
        case .string, .binary, .datetime, .other: false
        }
    }
}

extension InputSchema.Column {
    fileprivate init(_ spec: [String: JSONNode]) {
        name = spec["name"]?.text
        type = ColumnType(named: spec["type"]?.text ?? "?")
        // Signatures of old ones say "optional".
        isRequired = spec["required"] != .bool(false) && spec["optional"] != .bool(true)
    }
}

extension InputSchema.Tensor {
    /// The type of a column of such values.
    var type: ColumnType {
        switch dtype {
        case "float32": .float
        case "float64": .double
        case "int64", "int32": .long
        default: .unknown
        }
    }

    fileprivate init(_ spec: [String: JSONNode]) throws {
        guard let tensor = spec["tensor-spec"] else {
            throw LinajeError(.invalidArgument, "the signature mixes tensors and columns")
        }
        let members = try tensor.members(of: "a tensor of the signature")
        name = spec["name"]?.text
        dtype = members["dtype"]?.text ?? ""
        guard case .array(let lengths)? = members["shape"] else {
            throw LinajeError(.invalidArgument, "a tensor of the signature has no shape")
        }
        shape = try lengths.map { length in
            guard case .int(let number) = length else {
                throw LinajeError(
                    .invalidArgument, "a tensor of the signature has a shape of \(length.kind)")
            }
            return number
        }
    }
}

extension JSONNode {
    /// The text that it is.
    var text: String? {
        if case .string(let text) = self { return text }
        return nil
    }
}
