/// Makes ONNX files, right and wrong ones (field numbers of `onnx.proto`).
enum ONNXBytes {
    private typealias P = ProtobufBytes

    /// A model around the fields of a graph.
    static func model(_ graph: [UInt8], extra: [UInt8] = []) -> [UInt8] {
        P.field(1, 10) + P.field(2, "tests") + P.field(7, P.field(2, "g") + graph)
            + P.field(8, P.field(1, "") + P.field(2, 21)) + extra
    }

    /// An initializer of floats.
    static func initializer(
        _ name: String, _ shape: [UInt64], raw: Int? = nil, external: [(String, String)] = [],
        location: UInt64? = nil, type: UInt64 = 1
    ) -> [UInt8] {
        P.field(
            5, tensor(name, shape, raw: raw, external: external, location: location, type: type))
    }

    static func tensor(
        _ name: String, _ shape: [UInt64], raw: Int? = nil, external: [(String, String)] = [],
        location: UInt64? = nil, type: UInt64 = 1
    ) -> [UInt8] {
        var out = shape.flatMap { P.field(1, $0) } + P.field(2, type) + P.field(8, name)
        if let raw { out += P.field(9, [UInt8](repeating: 0, count: raw)) }
        for (key, value) in external { out += P.field(13, P.field(1, key) + P.field(2, value)) }
        if let location { out += P.field(14, location) }
        return out
    }

    /// A tensor whose data are in another file.
    static func external(_ location: String, _ more: [(String, String)] = []) -> [UInt8] {
        initializer("w", [2, 3], external: [("location", location)] + more, location: 1)
    }

    /// An input (11) or output (12) of floats; `nil`: any length.
    static func value(_ number: UInt64, _ name: String, _ shape: [UInt64?]) -> [UInt8] {
        let dimensions = shape.flatMap { length in
            P.field(1, length.map { P.field(1, $0) } ?? P.field(2, "n"))
        }
        let tensor = P.field(1, 1) + P.field(2, dimensions)
        return P.field(number, P.field(1, name) + P.field(2, P.field(1, tensor)))
    }

    static func node(_ type: String, domain: String = "", attributes: [UInt8] = []) -> [UInt8] {
        P.field(1, P.field(4, type) + attributes + P.field(7, domain))
    }

    /// A small right model.
    static let good = model(
        node("MatMul") + node("Relu") + initializer("w", [2, 3], raw: 24)
            + value(11, "x", [nil, 2]) + value(12, "y", [nil, 3]))
}
