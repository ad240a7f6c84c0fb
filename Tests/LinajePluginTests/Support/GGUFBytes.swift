/// Makes GGUF files, right and wrong ones.
struct GGUFBytes {
    var version: UInt32 = 3
    /// Counts to claim instead of the right ones.
    var keyCount: UInt64?
    var tensorCount: UInt64?
    private(set) var keys: [[UInt8]] = []
    private(set) var tensors: [[UInt8]] = []

    /// Adds a key with the bytes of its value.
    func key(_ name: String, _ type: UInt32, _ value: [UInt8]) -> GGUFBytes {
        var out = self
        out.keys.append(Self.text(name) + Self.u32(type) + value)
        return out
    }

    /// Adds a tensor.
    func tensor(
        _ name: String, _ type: UInt32, _ shape: [UInt64], at offset: UInt64,
        dimensions: UInt32? = nil
    ) -> GGUFBytes {
        var out = self
        out.tensors.append(
            Self.text(name) + Self.u32(dimensions ?? UInt32(shape.count))
                + shape.flatMap(Self.u64) + Self.u32(type) + Self.u64(offset))
        return out
    }

    /// The same with other counts.
    func counts(keys: UInt64? = nil, tensors: UInt64? = nil) -> GGUFBytes {
        var out = self
        out.keyCount = keys
        out.tensorCount = tensors
        return out
    }

    /// The file with `data` bytes of data.
    func file(data: Int = 0, alignment: Int = 32) -> [UInt8] {
        var out = Array("GGUF".utf8) + Self.u32(version)
        out += Self.u64(tensorCount ?? UInt64(tensors.count))
        out += Self.u64(keyCount ?? UInt64(keys.count))
        out += keys.flatMap { $0 } + tensors.flatMap { $0 }
        guard data > 0 else { return out }
        out += [UInt8](repeating: 0, count: (alignment - out.count % alignment) % alignment)
        return out + [UInt8](repeating: 0x5a, count: data)
    }

    static func u32(_ value: UInt32) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    static func u64(_ value: UInt64) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    static func text(_ text: String) -> [UInt8] { u64(UInt64(text.utf8.count)) + Array(text.utf8) }

    /// A small right file.
    static let good = GGUFBytes()
        .key("general.architecture", 8, text("llama"))
        .key("llama.context_length", 4, u32(512))
        .key("general.file_type", 4, u32(1))
        .key("general.license", 8, text("mit"))
        .key("tokenizer.ggml.tokens", 9, u32(8) + u64(2) + text("a") + text("b"))
        .tensor("a", 0, [2, 3], at: 0)
        .tensor("b", 8, [32], at: 32)
        .file(data: 66)
}
