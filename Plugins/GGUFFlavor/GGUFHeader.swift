import LinajeDomain
import LinajePluginKit

/// The header of a GGUF file of version 2 or 3, of either byte order: metadata and where the
/// tensors are (format: ggml-org/ggml, docs/gguf.md).
///
/// Read as strictly as ggml reads it, which is what gave room to no attack: a key stands once, a
/// tensor begins where the one before it ends, and every count is held against the length of the
/// file before anything is taken for it.
struct GGUFHeader: Sendable {
    static let magic = Array("GGUF".utf8)
    /// Longest header in bytes: vocabularies stand in it.
    static let mostHeaderBytes: UInt64 = 32 << 20
    /// Most keys of the metadata.
    static let mostKeys: UInt64 = 65_536
    /// Longest key in bytes (gguf.md, "gguf_metadata_kv_t").
    static let mostKeyBytes: UInt64 = 65_535
    /// Most tensors of one file.
    static let mostTensors: UInt64 = 65_536
    /// Longest name of a tensor; gguf.md says 64, and some programs are built for more.
    static let mostNameBytes: UInt64 = 256
    /// Most dimensions of a tensor (ggml.h, GGML_MAX_DIMS).
    static let mostDimensions: UInt64 = 4
    /// Greatest alignment.
    static let mostAlignment: UInt64 = 1 << 20

    struct Tensor: Sendable {
        var name: String
        var type: GGMLType
        /// The outermost first, as other formats have it; the file has the innermost first.
        var shape: [UInt64]
        var elements: UInt64
        var bytes: UInt64
    }

    var version: UInt64 = 0
    var isBigEndian = false
    /// In the order of the file.
    var metadata: [(key: String, value: GGUFValue)] = []
    var tensors: [Tensor] = []
    var alignment: UInt64 = 32
    /// Where the data begins and ends in the file.
    var dataStart: UInt64 = 0
    var dataEnd: UInt64 = 0

    /// - Parameters:
    ///   - bytes: The beginning of the file.
    ///   - size: The size of the whole file.
    /// - Throws: `GGUFCursor.Short` when more of it is needed, `invalidArgument` naming the file
    ///   and the tensor or key when it is malformed.
    init(parsing bytes: [UInt8], file: String, size: UInt64) throws {
        var cursor = GGUFCursor(bytes, file: file, size: size)
        guard bytes.prefix(4).elementsEqual(Self.magic) else {
            throw LinajeError(.invalidArgument, "\(file) does not begin with GGUF")
        }
        try cursor.skip(4)
        try readVersion(&cursor)
        let tensorCount = try cursor.number(8)
        let keyCount = try cursor.number(8)
        guard keyCount <= Self.mostKeys else {
            throw cursor.failure("says it has \(keyCount) keys; at most \(Self.mostKeys) are read")
        }
        guard tensorCount <= Self.mostTensors else {
            throw cursor.failure(
                "says it has \(tensorCount) tensors; at most \(Self.mostTensors) are read")
        }
        try cursor.require(keyCount, each: 13, "keys")
        try cursor.require(tensorCount, each: 24, "tensors")
        try readMetadata(&cursor, count: keyCount)
        try readTensors(&cursor, count: tensorCount, size: size)
    }

    /// The value of a key.
    subscript(key: String) -> GGUFValue? { metadata.first { $0.key == key }?.value }

    private mutating func readVersion(_ cursor: inout GGUFCursor) throws {
        version = try cursor.number(4)
        // The other byte order shows as a version whose low bytes are zero.
        if version & 0xffff == 0, version != 0 {
            isBigEndian = true
            version = UInt64(UInt32(truncatingIfNeeded: version).byteSwapped)
        }
        cursor.isBigEndian = isBigEndian
        guard version == 2 || version == 3 else {
            throw cursor.failure("has the version \(version); 2 and 3 are read")
        }
    }

    private mutating func readMetadata(_ cursor: inout GGUFCursor, count: UInt64) throws {
        var keys: Set<String> = []
        for _ in 0..<count {
            let key = try cursor.text(limit: Self.mostKeyBytes, "a key")
            guard keys.insert(key).inserted else {
                throw cursor.failure("has the key \"\(key.prefix(200))\" twice")
            }
            let type = try cursor.number(4)
            let value = try GGUFValue(&cursor, type: type, key: key)
            metadata.append((key, value))
        }
        guard let value = self["general.alignment"] else { return }
        guard case .unsigned(let alignment) = value, alignment.nonzeroBitCount == 1,
            (8...Self.mostAlignment).contains(alignment)
        else {
            throw cursor.failure(
                "has the alignment \(value.fact ?? "of a wrong type"); a power of 2 from 8 to "
                    + "\(Self.mostAlignment) is read")
        }
        self.alignment = alignment
    }

    private mutating func readTensors(
        _ cursor: inout GGUFCursor, count: UInt64, size: UInt64
    ) throws {
        var names: Set<String> = []
        var expected: UInt64 = 0
        var unpadded: UInt64 = 0
        for _ in 0..<count {
            let name = try cursor.text(limit: Self.mostNameBytes, "a tensor's name")
            guard names.insert(name).inserted else {
                throw cursor.failure("has the tensor \"\(name)\" twice")
            }
            let tensor = try Self.tensor(name, &cursor)
            let offset = try cursor.number(8)
            guard offset == expected else {
                throw cursor.failure(
                    "has the data of tensor \"\(name)\" at \(offset), where "
                        + (offset > expected ? "a gap ends" : "another tensor's lies")
                        + "; \(expected) is expected")
            }
            let (end, overflow) = offset.addingReportingOverflow(tensor.bytes)
            guard !overflow, let padded = padded(end), end <= size else {
                throw cursor.failure("is truncated: tensor \"\(name)\" ends past its end")
            }
            unpadded = end
            expected = padded
            tensors.append(tensor)
        }
        guard let start = padded(UInt64(cursor.position)) else {
            throw cursor.failure("has no end of its header")
        }
        dataStart = start
        dataEnd = expected
        // A file without tensors need not be padded.
        guard unpadded == 0 || (start <= size && unpadded <= size - start) else {
            throw cursor.failure(
                "has \(size) bytes, but its data begins at \(start) and has \(unpadded) bytes: it "
                    + "is truncated")
        }
    }

    private static func tensor(_ name: String, _ cursor: inout GGUFCursor) throws -> Tensor {
        let dimensions = try cursor.number(4)
        guard dimensions <= mostDimensions else {
            throw cursor.failure(
                "has the tensor \"\(name)\" with \(dimensions) dimensions; at most "
                    + "\(mostDimensions) are read")
        }
        var shape: [UInt64] = []
        var elements: UInt64 = 1
        for _ in 0..<dimensions {
            let length = try cursor.number(8)
            let (product, overflow) = elements.multipliedReportingOverflow(by: length)
            // ggml counts in 64 bits with a sign.
            guard !overflow, product <= UInt64(Int64.max), length <= UInt64(Int64.max) else {
                throw cursor.failure("has the tensor \"\(name)\" with a shape that overflows")
            }
            elements = product
            shape.append(length)
        }
        let number = try cursor.number(4)
        guard let type = GGMLType(number: number) else {
            throw cursor.failure(
                "has the tensor \"\(name)\" of the type \(number), which is not known")
        }
        guard (shape.first ?? 1).isMultiple(of: type.blockElements) else {
            throw cursor.failure(
                "has the tensor \"\(name)\" with rows of \(shape.first ?? 1) elements, no multiple "
                    + "of the \(type.blockElements) of a block of \(type.name)")
        }
        let (bytes, overflow) = (elements / type.blockElements)
            .multipliedReportingOverflow(by: type.blockBytes)
        guard !overflow, bytes <= UInt64(Int64.max) else {
            throw cursor.failure("has the tensor \"\(name)\" with a size that overflows")
        }
        return Tensor(
            name: name, type: type, shape: shape.reversed(), elements: elements, bytes: bytes)
    }

    /// The next multiple of the alignment.
    private func padded(_ position: UInt64) -> UInt64? {
        let (sum, overflow) = position.addingReportingOverflow(alignment - 1)
        return overflow ? nil : sum & ~(alignment - 1)
    }
}
