import LinajePluginKit

/// A model's signature in MLflow's schema (MLflow 3, `types/schema.py`), as far as a comparison
/// needs it.
struct SignatureSchema: Sendable, Hashable {
    /// `nil`: not said.
    var inputs: SchemaPart?
    var outputs: SchemaPart?
    var params: [SignatureParam] = []
}

/// All inputs, or all outputs: a schema is of one kind.
enum SchemaPart: Sendable, Hashable {
    case columns([SchemaColumn])
    case tensors([SchemaTensor])
}

/// A column of a table.
struct SchemaColumn: Sendable, Hashable {
    /// `nil`: told by its place.
    var name: String?
    var type: SchemaType
    var isRequired = true
}

/// A tensor.
struct SchemaTensor: Sendable, Hashable {
    /// `nil`: the only one.
    var name: String?
    var dtype: String
    /// -1: any length.
    var shape: [Int64]
}

/// A param of predictions.
struct SignatureParam: Sendable, Hashable {
    var name: String
    var type: SchemaType
    /// Whether it is a list of that type.
    var isList = false
    /// As JSON.
    var standard: String
}

/// The type of a column, an element or a property.
indirect enum SchemaType: Sendable, Hashable, CustomStringConvertible {
    /// "double", "long", "string", …
    case scalar(String)
    case array(SchemaType)
    case map(SchemaType)
    case object([SchemaColumn])
    case any

    var description: String {
        switch self {
        case .scalar(let name): name
        case .array(let element): "array(\(element))"
        case .map(let value): "map(\(value))"
        case .object(let properties):
            "{"
                + properties.map { "\($0.name ?? ""): \($0.type)\($0.isRequired ? "" : "?")" }
                .joined(separator: ", ") + "}"
        case .any: "any"
        }
    }
}

extension SignatureSchema {
    /// Most inputs, outputs, params or properties of one object.
    private static let mostEntries = 100_000

    /// - Parameter json: {"inputs": …, "outputs": …, "params": …}; each a list, or, as in MLmodel, a
    ///   text that holds one.
    /// - Throws: `invalidArgument` for what is no such thing.
    init(parsing json: String) throws {
        var reader = JSONReader(Array(json.utf8), name: "signature")
        try reader.object(limit: Self.mostEntries) { key, reader in
            switch key {
            case "inputs": inputs = try Self.listed(&reader).flatMap(Self.part)
            case "outputs": outputs = try Self.listed(&reader).flatMap(Self.part)
            case "params":
                params = try (Self.listed(&reader) ?? []).map { entry in
                    SignatureParam(
                        name: entry.name ?? "", type: entry.type, isList: entry.hasShape,
                        standard: entry.standard ?? "null")
                }
            default: try reader.skip()
            }
        }
        try reader.finish()
    }

    private static func part(_ entries: [Entry]) -> SchemaPart? {
        guard !entries.isEmpty else { return nil }
        guard entries.contains(where: { $0.tensor != nil }) else {
            return .columns(
                entries.map {
                    SchemaColumn(name: $0.name, type: $0.type, isRequired: $0.isRequired)
                })
        }
        return .tensors(
            entries.map {
                SchemaTensor(
                    name: $0.name, dtype: $0.tensor?.dtype ?? "\($0.type)",
                    shape: $0.tensor?.shape ?? [])
            })
    }

    /// The entries of a list, or of a text that holds one; `nil` for null.
    private static func listed(_ reader: inout JSONReader) throws -> [Entry]? {
        switch try reader.kind() {
        case .null:
            try reader.skip()
            return nil
        case .string:
            var inner = JSONReader(Array(try reader.string().utf8), name: "signature")
            let found = try inner.kind() == .null ? nil : try entries(&inner)
            if found == nil { try inner.skip() }
            try inner.finish()
            return found
        default: return try entries(&reader)
        }
    }

    private static func entries(_ reader: inout JSONReader) throws -> [Entry] {
        var found: [Entry] = []
        try reader.array(limit: mostEntries) { found.append(try Entry(&$0)) }
        return found
    }
}

/// What stands in the braces of a column, tensor, param, property or element.
private struct Entry {
    var name: String?
    var kind = ""
    var isRequired = true
    var tensor: (dtype: String, shape: [Int64])?
    var element: SchemaType?
    var properties: [SchemaColumn] = []
    var standard: String?
    var hasShape = false

    init(_ reader: inout JSONReader) throws {
        try reader.object(limit: 1_000) { key, reader in try take(key, &reader) }
    }

    private mutating func take(_ key: String, _ reader: inout JSONReader) throws {
        switch key {
        case "name" where try reader.kind() == .string: name = try reader.string()
        case "type" where try reader.kind() == .string: kind = try reader.string()
        case "dtype" where try reader.kind() == .string:
            let text = try reader.string()
            if kind.isEmpty { kind = text }
        case "required": isRequired = try reader.raw() != "false"
        case "optional": isRequired = try reader.raw() != "true"
        case "items", "values": element = try Entry(&reader).type
        case "properties":
            try reader.object(limit: 100_000) { name, reader in
                let entry = try Entry(&reader)
                properties.append(
                    SchemaColumn(name: name, type: entry.type, isRequired: entry.isRequired))
            }
        case "tensor-spec": try takeTensor(&reader)
        case "default": standard = try reader.raw()
        case "shape":
            hasShape = try reader.kind() != .null
            try reader.skip()
        default: try reader.skip()
        }
    }

    private mutating func takeTensor(_ reader: inout JSONReader) throws {
        var found: (dtype: String, shape: [Int64]) = ("", [])
        try reader.object(limit: 1_000) { key, reader in
            switch key {
            case "dtype": found.dtype = try reader.string()
            case "shape":
                try reader.array(limit: 1_000) {
                    let text = try $0.raw()
                    guard let length = Int64(text) else {
                        throw $0.failure("has \(text.prefix(40)) where a length belongs")
                    }
                    found.shape.append(length)
                }
            default: try reader.skip()
            }
        }
        tensor = found
    }

    var type: SchemaType {
        switch kind {
        case "array": .array(element ?? .any)
        case "map": .map(element ?? .any)
        case "object": .object(properties.sorted { ($0.name ?? "") < ($1.name ?? "") })
        case "any": .any
        default: .scalar(kind)
        }
    }
}
