import Crypto
package import LinajeDomain

extension MetricSegment {
    /// Reads a segment's bytes. Nothing is believed before the check at the end matches, and
    /// every length is compared with the bytes that are there.
    ///
    /// - Parameters:
    ///   - run: the run the segment belongs to, for the error.
    ///   - id: the segment's number in the database, for the error.
    /// - Throws: `corrupt` naming both.
    package init(decoding bytes: [UInt8], run: RunID, id: Int64) throws {
        self = try bytes.withUnsafeBytes { buffer in
            do {
                return try Self.decode(buffer)
            } catch let flaw as StoredFlaw {
                throw LinajeError(
                    .corrupt,
                    "metric segment \(id) of run \(run) \(flaw.text); restore metrics.db from a "
                        + "copy", details: ["run": "\(run)", "segment": "\(id)"])
            }
        }
    }

    /// - Throws: `StoredFlaw` for bytes that are no segment, or not as they were written.
    static func decode(_ bytes: UnsafeRawBufferPointer) throws -> MetricSegment {
        guard bytes.count >= header.count + 6 + 8 else { throw StoredFlaw("is too short") }
        let body = UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count - 8)])
        let digest = SHA256.hash(data: body)
        guard digest.prefix(8).elementsEqual(bytes[(bytes.count - 8)...]) else {
            throw StoredFlaw("does not match its check")
        }
        var input = ByteReader(body)
        guard try input.take(header.count).elementsEqual(header) else {
            throw StoredFlaw("has a header that is not known")
        }
        let seriesCount = Int(try input.number(UInt16.self))
        let count = Int(try input.number(UInt32.self))
        guard seriesCount > 0, count > 0, count <= maximumPoints else {
            throw StoredFlaw("has \(seriesCount) series and \(count) points")
        }
        var series: [MetricSeries] = []
        for _ in 0..<seriesCount { series.append(try MetricSeries(decoding: &input)) }
        let index = try input.index(count: count, seriesCount: seriesCount)
        let steps = try input.integers(count: count)
        let times = try input.integers(count: count)
        let values = try input.doubles(count: count)
        guard input.isAtEnd else { throw StoredFlaw("has bytes after its end") }
        return MetricSegment(
            series: series, seriesIndex: index,
            columns: MetricColumns(steps: steps, times: times, values: values))
    }
}

extension MetricSeries {
    init(decoding input: inout ByteReader) throws {
        let key = try input.text()
        let model: LoggedModelID?
        switch try input.number(UInt8.self) {
        case 0: model = nil
        case 16: model = try LoggedModelID(input.take(16))
        default: throw StoredFlaw("has a model id of a wrong length")
        }
        self.init(
            key: key, modelID: model, datasetName: try input.text(),
            datasetDigest: try input.text())
    }

    /// A series as `encoded` wrote it; `nil` for anything else.
    init?(encoded bytes: [UInt8]) {
        let decoded = bytes.withUnsafeBytes { buffer -> MetricSeries? in
            var input = ByteReader(buffer)
            guard let series = try? MetricSeries(decoding: &input), input.isAtEnd else {
                return nil
            }
            return series
        }
        guard let decoded else { return nil }
        self = decoded
    }
}

extension ByteReader {
    mutating func index(count: Int, seriesCount: Int) throws -> [UInt16] {
        guard seriesCount > 1 else { return [] }
        let index: [UInt16] =
            seriesCount <= 256
            ? try numbers(count, UInt8.self) { UInt16($0) }
            : try numbers(count, UInt16.self) { $0 }
        guard index.allSatisfy({ Int($0) < seriesCount }) else {
            throw StoredFlaw("has a point of a series that is not there")
        }
        return index
    }

    mutating func integers(count: Int) throws -> [Int64] {
        let width = try number(UInt8.self)
        let base = try number(Int64.self)
        func added<Number: FixedWidthInteger & UnsignedInteger>(_ offset: Number) -> Int64 {
            base &+ Int64(truncatingIfNeeded: offset)
        }
        switch width {
        case 0: return [Int64](repeating: base, count: count)
        case 1: return try numbers(count, UInt8.self, added)
        case 2: return try numbers(count, UInt16.self, added)
        case 4: return try numbers(count, UInt32.self, added)
        case 8: return try numbers(count, UInt64.self, added)
        default: throw StoredFlaw("has a column of width \(width)")
        }
    }

    mutating func doubles(count: Int) throws -> [Double] {
        switch try number(UInt8.self) {
        case 4: return try numbers(count, UInt32.self) { Double(Float(bitPattern: $0)) }
        case 8: return try numbers(count, UInt64.self) { Double(bitPattern: $0) }
        case let width: throw StoredFlaw("has values of width \(width)")
        }
    }

    private mutating func numbers<Number: FixedWidthInteger, Value>(
        _ count: Int, _ type: Number.Type, _ value: (Number) -> Value
    ) throws -> [Value] {
        let size = MemoryLayout<Number>.size
        let part = try take(count * size)
        return [Value](unsafeUninitializedCapacity: count) { buffer, used in
            for point in 0..<count {
                let number = part.loadUnaligned(fromByteOffset: point * size, as: type)
                buffer.initializeElement(at: point, to: value(Number(littleEndian: number)))
            }
            used = count
        }
    }
}
