/// What goes into a model and comes out of it, in MLflow's schema (MLflow 3, `types/schema.py`) and
/// the form of `ModelDescription.signature`.
package struct ModelSignature {
    /// A tensor.
    package struct Tensor: Sendable, Hashable {
        /// Empty: the only one, without a name.
        package var name: String
        /// As NumPy calls it: "float32", "int64", "bool", "str".
        package var dtype: String
        /// -1: any length.
        package var shape: [Int64]

        package init(name: String = "", dtype: String, shape: [Int64]) {
            self.name = name
            self.dtype = dtype
            self.shape = shape
        }
    }

    /// A column of a table.
    package struct Column: Sendable, Hashable {
        package var name: String
        /// "double", "float", "long", "integer", "boolean", "string", …
        package var type: String

        package init(name: String, type: String) {
            self.name = name
            self.type = type
        }
    }

    /// All inputs, or all outputs: MLflow has no schema of both kinds.
    package enum Schema: Sendable, Hashable {
        case tensors([Tensor])
        case columns([Column])

        /// Whether MLflow can say it: several tensors all have names.
        fileprivate var canBeSaid: Bool {
            switch self {
            case .tensors(let tensors):
                !tensors.isEmpty && (tensors.count == 1 || !tensors.contains { $0.name.isEmpty })
            case .columns(let columns): !columns.isEmpty
            }
        }

        fileprivate var json: String {
            let parts =
                switch self {
                case .tensors(let tensors): tensors.map(Self.json)
                case .columns(let columns): columns.map(Self.json)
                }
            return "[\(parts.joined(separator: ","))]"
        }

        private static func json(_ tensor: Tensor) -> String {
            let shape = tensor.shape.map { String($0) }.joined(separator: ",")
            let name = tensor.name.isEmpty ? "" : "\"name\":\(JSONText.quoted(tensor.name)),"
            let dtype = JSONText.quoted(tensor.dtype)
            return "{\(name)\"type\":\"tensor\",\"tensor-spec\":"
                + "{\"dtype\":\(dtype),\"shape\":[\(shape)]}}"
        }

        private static func json(_ column: Column) -> String {
            "{\"type\":\(JSONText.quoted(column.type)),\"name\":\(JSONText.quoted(column.name)),"
                + "\"required\":true}"
        }
    }

    package var inputs: Schema
    /// `nil`: not known.
    package var outputs: Schema?

    package init(inputs: Schema, outputs: Schema?) {
        self.inputs = inputs
        self.outputs = outputs
    }

    /// The JSON, or empty when MLflow has no way to say the inputs.
    package var json: String {
        guard inputs.canBeSaid else { return "" }
        let results = outputs.flatMap { $0.canBeSaid ? $0.json : nil } ?? "null"
        return "{\"inputs\":\(inputs.json),\"outputs\":\(results),\"params\":null}"
    }
}
