/// Makes safetensors files, right and wrong ones.
enum SafetensorsBytes {
    /// A file with this header text and `data` bytes of data.
    static func file(_ header: String, data: Int = 0) -> [UInt8] {
        file(header: Array(header.utf8), data: data)
    }

    /// A file with this header and `data` bytes of data.
    static func file(header: [UInt8], data: Int = 0) -> [UInt8] {
        length(UInt64(header.count)) + header + [UInt8](repeating: 0x5a, count: data)
    }

    /// A header length as it stands in a file.
    static func length(_ count: UInt64) -> [UInt8] {
        withUnsafeBytes(of: count.littleEndian) { Array($0) }
    }

    /// The header entry of a tensor.
    static func entry(_ name: String, _ dtype: String, _ shape: String, _ offsets: String) -> String
    {
        "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":[\(shape)],\"data_offsets\":[\(offsets)]}"
    }

    /// A small right file.
    static let good = file(
        "{\"__metadata__\":{\"format\":\"pt\"},\(entry("a", "F32", "2,3", "0,24")),"
            + "\(entry("b", "BF16", "4", "24,32")),\(entry("scalar", "I64", "", "32,40"))}",
        data: 40)
}
