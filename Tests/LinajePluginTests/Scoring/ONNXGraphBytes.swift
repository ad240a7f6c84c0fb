/// Makes nodes with attributes and tensors with data, as the scorer of ONNX files reads them
/// (field numbers of `onnx.proto`).
enum ONNXGraphBytes {
    private typealias P = ProtobufBytes

    // MARK: Attributes

    static func integer(_ name: String, _ value: Int64) -> [UInt8] {
        attribute(name, 2, P.field(3, UInt64(bitPattern: value)))
    }

    static func text(_ name: String, _ value: String) -> [UInt8] {
        attribute(name, 3, P.field(4, value))
    }

    static func floats(_ name: String, _ values: [Float]) -> [UInt8] {
        attribute(name, 6, P.field(7, packed(values)))
    }

    static func integers(_ name: String, _ values: [Int64]) -> [UInt8] {
        attribute(name, 7, P.field(8, packed(values)))
    }

    static func texts(_ name: String, _ values: [String]) -> [UInt8] {
        attribute(name, 8, values.flatMap { P.field(9, $0) })
    }

    private static func attribute(_ name: String, _ kind: UInt64, _ value: [UInt8]) -> [UInt8] {
        P.field(5, P.field(1, name) + value + P.field(20, kind))
    }

    // MARK: Nodes and tensors

    static func node(
        _ kind: String, domain: String = "", _ inputs: [String], _ outputs: [String],
        _ attributes: [UInt8] = []
    ) -> [UInt8] {
        let names = inputs.flatMap { P.field(1, $0) } + outputs.flatMap { P.field(2, $0) }
        return ONNXBytes.node(kind, domain: domain, attributes: names + attributes)
    }

    /// A stored tensor with whatever data are given.
    static func tensor(
        _ name: String, _ shape: [UInt64], type: UInt64, floats: [Float] = [],
        narrow: [Int64] = [], wide: [Int64] = [], texts: [String] = [], extra: [UInt8] = []
    ) -> [UInt8] {
        var out = ONNXBytes.tensor(name, shape, type: type) + extra
        if !floats.isEmpty { out += P.field(4, packed(floats)) }
        if !narrow.isEmpty { out += P.field(5, packed(narrow)) }
        if !wide.isEmpty { out += P.field(7, packed(wide)) }
        return P.field(5, out + texts.flatMap { P.field(6, $0) })
    }

    private static func packed(_ values: [Float]) -> [UInt8] {
        values.flatMap { value in
            withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
        }
    }

    private static func packed(_ values: [Int64]) -> [UInt8] {
        values.flatMap { P.varint(UInt64(bitPattern: $0)) }
    }
}
