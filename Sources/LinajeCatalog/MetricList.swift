import LinajeDomain

/// The last values of the metrics of a run as one row of `run_metric_lists`, for lists: to read twenty
/// rows of `run_metrics` takes most of the time of a list.
///
/// ```
/// metric …   by the bytes of their keys
/// metric = u16 bytes of the key | key | bits of the value | step | time      all little-endian
/// ```
enum MetricList {
    /// Most metrics of a list; a run with more has none, since each change writes all of it.
    static let mostMetrics = 500

    static func encode(_ metrics: [RunMetric]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(metrics.count * 48)
        for metric in metrics.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            let key = metric.key.utf8
            // Keys have at most 250 bytes.
            append(UInt16(clamping: key.count), to: &out)
            out += key
            append(metric.value.bitPattern, to: &out)
            append(UInt64(bitPattern: metric.step), to: &out)
            append(UInt64(bitPattern: metric.time), to: &out)
        }
        return out
    }

    /// Lends each metric; the keys are UTF-8.
    ///
    /// - Returns: `false` when the bytes are no list; nothing was lent then.
    static func read(
        _ bytes: UnsafeRawBufferPointer,
        _ metric: (UnsafeRawBufferPointer, Double, Int64, Int64) -> Void
    ) -> Bool {
        guard isList(bytes) else { return false }
        var place = 0
        while place < bytes.count {
            let count = Int(load(UInt16.self, bytes, place))
            let key = UnsafeRawBufferPointer(rebasing: bytes[(place + 2)..<(place + 2 + count)])
            let numbers = place + 2 + count
            metric(
                key, Double(bitPattern: load(UInt64.self, bytes, numbers)),
                load(Int64.self, bytes, numbers + 8), load(Int64.self, bytes, numbers + 16))
            place = numbers + 24
        }
        return true
    }

    /// Whether the lengths of the keys end where the bytes do.
    private static func isList(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var place = 0
        while place + 2 <= bytes.count {
            place += 2 + Int(load(UInt16.self, bytes, place)) + 24
        }
        return place == bytes.count
    }

    private static func load<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type, _ bytes: UnsafeRawBufferPointer, _ place: Int
    ) -> Number {
        Number(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: type))
    }

    private static func append(_ number: some FixedWidthInteger, to out: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { out.append(contentsOf: $0) }
    }
}
