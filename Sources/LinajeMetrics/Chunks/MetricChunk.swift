import Crypto
import LinajeDomain

/// Points of one series in the order (step, time, arrival), packed: what compaction makes of
/// segments.
///
/// The bytes are those of `proto-spec/STORAGE.md`, "Metric chunks".
struct MetricChunk: Sendable {
    /// Most points of a chunk.
    static let maximumPoints = 16_384

    static let header: [UInt8] = [0x4c, 0x4e, 0x4a, 0x43, 1, 0]

    var columns: MetricColumns

    /// The chunk's bytes. It has 1 to `maximumPoints` points.
    func encoded(with planes: PlaneWriter) -> [UInt8] {
        precondition(columns.count > 0 && columns.count <= Self.maximumPoints)
        var output = Self.header
        output.append(varint: UInt64(columns.count))
        IntegerColumn.write(columns.steps, with: planes, to: &output)
        IntegerColumn.write(columns.times, with: planes, to: &output)
        ValueColumn.write(columns.values, with: planes, to: &output)
        output += Self.check(of: output)
        return output
    }

    /// What follows the bytes of a chunk.
    static func check(of body: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: body).prefix(8)) }

    /// Reads a chunk's bytes. Nothing is believed before the check at the end matches.
    ///
    /// - Throws: `StoredFlaw` for bytes that are no chunk, or not as they were written.
    static func decode(
        _ bytes: UnsafeRawBufferPointer, with planes: PlaneReader
    ) throws -> MetricChunk {
        guard bytes.count > header.count + 8 else { throw StoredFlaw("is too short") }
        let body = UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 8)])
        guard SHA256.hash(data: body).prefix(8).elementsEqual(bytes[(bytes.count - 8)...]) else {
            throw StoredFlaw("does not match its check")
        }
        var input = ByteReader(body)
        guard try input.take(header.count).elementsEqual(header) else {
            throw StoredFlaw("has a header that is not known")
        }
        let count = try input.varint()
        guard count > 0, count <= UInt64(maximumPoints) else {
            throw StoredFlaw("has \(count) points")
        }
        let steps = try IntegerColumn.read(count: Int(count), with: planes, from: &input)
        let times = try IntegerColumn.read(count: Int(count), with: planes, from: &input)
        let values = try ValueColumn.read(count: Int(count), with: planes, from: &input)
        guard input.isAtEnd else { throw StoredFlaw("has bytes after its end") }
        return MetricChunk(
            columns: MetricColumns(steps: steps, times: times, values: values))
    }

    /// Reads a chunk of the database.
    ///
    /// - Throws: `corrupt` naming run and chunk.
    init(decoding bytes: [UInt8], run: RunID, id: Int64, with planes: PlaneReader) throws {
        do {
            self = try bytes.withUnsafeBytes { try Self.decode($0, with: planes) }
        } catch let flaw as StoredFlaw {
            throw LinajeError(
                .corrupt,
                "metric chunk \(id) of run \(run) \(flaw.text); restore metrics.db from a copy",
                details: ["run": "\(run)", "chunk": "\(id)"])
        }
    }

    init(columns: MetricColumns) { self.columns = columns }
}
