import LinajeDomain
import LinajePluginKit

/// Where the bytes of each tensor of a safetensors file stand (github.com/huggingface/safetensors,
/// README, "Format"): 8 bytes of length in little-endian order, so many bytes of JSON, the data.
struct SafetensorsHeader: Sendable, Equatable {
    /// A tensor and its place, counted from the start of the file.
    struct Place: Sendable, Equatable {
        var name: String
        var bytes: Range<UInt64>
    }

    /// The longest header that the library reads.
    static let longest: UInt64 = 100_000_000
    /// Most tensors.
    private static let mostTensors = 1_000_000

    /// By their place; none overlaps another.
    let places: [Place]

    /// The length of the header by the first 8 bytes of a file; `nil` when it has none.
    static func length(_ start: [UInt8], of size: UInt64) -> UInt64? {
        guard start.count == 8, size >= 8 else { return nil }
        let length = start.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return length <= longest && length <= size - 8 ? length : nil
    }

    /// - Parameters:
    ///   - header: the JSON.
    ///   - size: bytes of the file.
    /// - Throws: `invalidArgument` for what is no such header, or one whose tensors overlap or stand
    ///   past the end of the file.
    init(parsing header: [UInt8], name: String, size: UInt64) throws {
        let start = 8 + UInt64(header.count)
        guard start <= size else {
            throw LinajeError(.invalidArgument, "\(name) is shorter than its header")
        }
        var found: [Place] = []
        var reader = JSONReader(header, name: name, depth: 8)
        try reader.object(limit: Self.mostTensors) { key, reader in
            guard key != "__metadata__" else { return try reader.skip() }
            var ends: [UInt64] = []
            try reader.object(limit: 100) { field, reader in
                guard field == "data_offsets" else { return try reader.skip() }
                try reader.array(limit: 2) { ends.append(try $0.unsigned()) }
            }
            guard ends.count == 2, ends[0] <= ends[1], ends[1] <= size - start else {
                throw reader.failure("has tensor \"\(key.prefix(80))\" past its end")
            }
            found.append(Place(name: key, bytes: start + ends[0]..<start + ends[1]))
        }
        try reader.finish()
        found.sort {
            ($0.bytes.lowerBound, $0.bytes.upperBound)
                < ($1.bytes.lowerBound, $1.bytes.upperBound)
        }
        for (one, next) in zip(found, found.dropFirst())
        where next.bytes.lowerBound < one.bytes.upperBound {
            throw LinajeError(
                .invalidArgument,
                "\(name) has tensors that share bytes: \(one.name.prefix(80)) and "
                    + "\(next.name.prefix(80))")
        }
        places = found
    }
}
