/// Makes UBJSON as XGBoost writes it.
enum UBJBytes {
    private static func count(_ value: Int) -> [UInt8] {
        [UInt8(ascii: "L")] + withUnsafeBytes(of: Int64(value).bigEndian) { Array($0) }
    }

    static func key(_ key: String) -> [UInt8] { count(key.utf8.count) + Array(key.utf8) }

    static func text(_ text: String) -> [UInt8] { [UInt8(ascii: "S")] + key(text) }

    static func integer(_ value: Int) -> [UInt8] { count(value) }

    static func object(_ members: [(String, [UInt8])]) -> [UInt8] {
        [UInt8(ascii: "{")] + members.flatMap { key($0.0) + $0.1 } + [UInt8(ascii: "}")]
    }

    static func array(_ elements: [[UInt8]]) -> [UInt8] {
        Array("[#".utf8) + count(elements.count) + elements.flatMap { $0 }
    }

    static func integers(_ values: [Int32]) -> [UInt8] {
        Array("[$l#".utf8) + count(values.count)
            + values.flatMap { value in withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    }

    static func floats(_ values: [Float]) -> [UInt8] {
        Array("[$d#".utf8) + count(values.count)
            + values.flatMap { value in
                withUnsafeBytes(of: value.bitPattern.bigEndian) { Array($0) }
            }
    }
}
