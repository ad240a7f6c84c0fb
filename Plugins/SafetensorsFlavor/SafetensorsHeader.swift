import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// The header of a safetensors file: what its tensors are, without their data.
///
/// ```
/// file   = header length u64 LE | header | data
/// header = JSON { name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …,
///                 "__metadata__": {key: text, …} } padded with spaces
/// ```
///
/// Offsets count from the start of the data. The data of the tensors lies one after the other and
/// fills the file to its end, so a file cannot hide anything (format: the README of
/// huggingface/safetensors, "Format").
struct SafetensorsHeader: Sendable {
    /// Longest header in bytes.
    static let mostHeaderBytes: UInt64 = 16 << 20
    /// Most tensors of one file.
    static let mostTensors = 65_536
    /// Most dimensions of one tensor.
    static let mostDimensions = 64

    struct Tensor: Sendable {
        var name: String
        var dtype: String
        var shape: [UInt64]
        var begin: UInt64
        var end: UInt64
        /// How many elements it has.
        var elements: UInt64
    }

    /// In the order of their data.
    var tensors: [Tensor] = []
    /// The texts under `__metadata__`.
    var metadata: [String: String] = [:]
    /// Where the data begins in the file.
    var dataStart: UInt64

    /// The number of bytes of the header of a file.
    ///
    /// - Parameter prefix: The file's first 8 bytes, or fewer when it is shorter.
    /// - Throws: `invalidArgument` naming the file when the file cannot have such a header.
    static func length(prefix: [UInt8], file: String, size: UInt64) throws -> Int {
        guard prefix.count == 8, size >= 8 else {
            throw LinajeError(
                .invalidArgument,
                "\(file) has \(size) bytes; a safetensors file has at least 8 and a header")
        }
        let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= size - 8 else {
            throw LinajeError(
                .invalidArgument,
                "\(file) says its header has \(length) bytes, but the file has \(size): it is "
                    + "truncated or no safetensors file")
        }
        guard length <= mostHeaderBytes else {
            throw LinajeError(
                .invalidArgument,
                "\(file) has a header of \(length) bytes; at most \(mostHeaderBytes) are read")
        }
        guard length >= 2 else {
            throw LinajeError(.invalidArgument, "\(file) has an empty header")
        }
        return Int(length)
    }

    /// Reads a header.
    ///
    /// - Parameters:
    ///   - bytes: The header, without its length.
    ///   - size: The size of the whole file.
    /// - Throws: `invalidArgument` naming the file and the tensor.
    init(parsing bytes: [UInt8], file: String, size: UInt64) throws {
        guard bytes.first == UInt8(ascii: "{") else {
            throw LinajeError(
                .invalidArgument, "\(file) has a header that does not begin with \"{\"")
        }
        try Self.checkCount(bytes, file: file)
        dataStart = 8 + UInt64(bytes.count)
        var reader = JSONReader(bytes, name: "the header of \(file)", depth: 4)
        var tensors: [Tensor] = []
        var metadata: [String: String] = [:]
        do {
            try reader.object(limit: Self.mostTensors + 1) { name, reader in
                if name == "__metadata__" {
                    try reader.object(limit: Self.mostTensors) { key, reader in
                        metadata[key] = try reader.string()
                    }
                } else {
                    tensors.append(try Self.tensor(name, from: &reader, file: file))
                }
            }
            try reader.finish()
        } catch let error as LinajeError {
            // Whatever bound it breaks, to the registry the file is malformed.
            throw LinajeError(.invalidArgument, error.message)
        }
        guard tensors.count <= Self.mostTensors else {
            throw LinajeError(
                .invalidArgument, "\(file) has more than \(Self.mostTensors) tensors")
        }
        self.metadata = metadata
        self.tensors = tensors.sorted { ($0.begin, $0.end) < ($1.begin, $1.end) }
        try checkLayout(file: file, size: size)
    }

    /// Refuses too many tensors before any of them is taken apart: each says its offsets once.
    private static func checkCount(_ bytes: [UInt8], file: String) throws {
        // No tensor is said in fewer bytes.
        guard bytes.count / 40 > mostTensors else { return }
        let mark = "\"data_offsets\""
        var count = 0
        var place = 0
        while let found = ByteSearch.first(mark, in: bytes, from: place) {
            count += 1
            place = found + mark.utf8.count
            guard count <= mostTensors else {
                throw LinajeError(
                    .invalidArgument, "\(file) has more than \(mostTensors) tensors")
            }
        }
    }

    /// Checks that the data has no gap, no overlap and no rest.
    private func checkLayout(file: String, size: UInt64) throws {
        var position: UInt64 = 0
        for tensor in tensors {
            guard tensor.begin == position else {
                throw LinajeError(
                    .invalidArgument,
                    "\(file): the data of tensor \"\(tensor.name.prefix(200))\" begins at "
                        + "\(tensor.begin), where "
                        + (tensor.begin > position ? "a gap ends" : "another tensor's lies")
                        + "; \(position) is expected")
            }
            position = tensor.end
        }
        let (end, overflow) = dataStart.addingReportingOverflow(position)
        guard !overflow, end == size else {
            let last = tensors.last.map { " of tensor \"\($0.name.prefix(200))\"" } ?? ""
            throw LinajeError(
                .invalidArgument,
                "\(file) has \(size) bytes, but its data ends\(last) at byte "
                    + "\(overflow ? "2^64" : String(end)): it is "
                    + (overflow || end > size ? "truncated" : "followed by other bytes"))
        }
    }

    private static func tensor(
        _ name: String, from reader: inout JSONReader, file: String
    ) throws -> Tensor {
        var dtype: String?
        var shape: [UInt64]?
        var offsets: [UInt64]?
        try reader.object(limit: 3) { key, reader in
            switch key {
            case "dtype": dtype = try reader.string()
            case "shape": shape = try numbers(mostDimensions, from: &reader)
            case "data_offsets": offsets = try numbers(2, from: &reader)
            default: throw reader.failure("has the unknown key \"\(key.prefix(40))\" of a tensor")
            }
        }
        let shown = "\(file): tensor \"\(name.prefix(200))\""
        guard let dtype, let shape, let offsets, offsets.count == 2 else {
            throw LinajeError(
                .invalidArgument, "\(shown) must have dtype, shape and two data_offsets")
        }
        guard let bits = Self.bits[dtype] else {
            throw LinajeError(
                .invalidArgument, "\(shown) has the unknown dtype \"\(dtype.prefix(40))\"")
        }
        var elements: UInt64 = 1
        for dimension in shape {
            let (product, overflow) = elements.multipliedReportingOverflow(by: dimension)
            guard !overflow else {
                throw LinajeError(.invalidArgument, "\(shown) has a shape that overflows")
            }
            elements = product
        }
        let (total, overflow) = elements.multipliedReportingOverflow(by: bits)
        guard !overflow, total.isMultiple(of: 8) else {
            throw LinajeError(
                .invalidArgument, "\(shown) has a shape that is no whole number of bytes")
        }
        guard offsets[0] <= offsets[1], offsets[1] - offsets[0] == total / 8 else {
            throw LinajeError(
                .invalidArgument,
                "\(shown) needs \(total / 8) bytes, but its data_offsets are \(offsets[0]) and "
                    + "\(offsets[1])")
        }
        return Tensor(
            name: name, dtype: dtype, shape: shape, begin: offsets[0], end: offsets[1],
            elements: elements)
    }

    private static func numbers(_ limit: Int, from reader: inout JSONReader) throws -> [UInt64] {
        var out: [UInt64] = []
        try reader.array(limit: limit) { out.append(try $0.unsigned()) }
        return out
    }

    /// The element types and their size in bits (safetensors, `Dtype`).
    static let bits: [String: UInt64] = [
        "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
        "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
        "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
        "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
        "I32": 32, "U32": 32, "F32": 32,
        "I64": 64, "U64": 64, "F64": 64, "C64": 64,
    ]
}
