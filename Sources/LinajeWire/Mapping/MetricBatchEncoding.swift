package import LinajeDomain

/// Encodes metric batches straight from their columns.
///
/// The bytes are those of the `MetricBatch` message. A column of fixed-width numbers is its memory
/// on a little-endian machine, so a batch costs three copies of memory instead of a visit to each
/// number; a training loop that logs one point at a time notices.
package struct MetricBatchEncoding: Sendable {
    /// Field 2 for each series, tag and length included.
    private let seriesField: [UInt8]
    /// How many series there are.
    package let seriesCount: Int

    /// Prepares batches that speak of these series, in this order.
    package init(_ series: [MetricSeries]) {
        var out: [UInt8] = []
        for one in series {
            let message = Self.seriesMessage(one)
            out.append(0x12)
            ProtobufBytes.append(varint: UInt64(message.count), to: &out)
            out += message
        }
        seriesField = out
        seriesCount = series.count
    }

    /// The message's bytes. The caller has checked that the columns fit together (`MetricBatch`);
    /// `seriesIndex` is empty when there is one series.
    package func encode(
        sequence: UInt64, seriesIndex: [UInt32] = [], columns: MetricColumns
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(
            40 + seriesField.count + seriesIndex.count * 4 + columns.count * 24)
        if sequence > 0 {
            out.append(0x08)
            ProtobufBytes.append(varint: sequence, to: &out)
        }
        out += seriesField
        Self.column(0x1A, seriesIndex, to: &out) { $0.littleEndian }
        Self.column(0x22, columns.steps, to: &out) { $0.littleEndian }
        Self.column(0x2A, columns.times, to: &out) { $0.littleEndian }
        Self.column(0x32, columns.values, to: &out) { $0.bitPattern.littleEndian }
        return out
    }

    /// How many bytes one point takes at most, without the series.
    package static let bytesPerPoint = 28
    /// How many bytes a batch takes besides its points.
    package var overheadBytes: Int { 64 + seriesField.count }

    private static func column<Element, Wire: FixedWidthInteger>(
        _ tag: UInt8, _ values: [Element], to out: inout [UInt8], _ wire: (Element) -> Wire
    ) {
        guard !values.isEmpty else { return }
        out.append(tag)
        ProtobufBytes.append(
            varint: UInt64(values.count * MemoryLayout<Element>.stride), to: &out)
        if 1.littleEndian == 1 {
            values.withUnsafeBytes { out.append(contentsOf: $0) }
        } else {
            for value in values {
                withUnsafeBytes(of: wire(value)) { out.append(contentsOf: $0) }
            }
        }
    }

    private static func seriesMessage(_ series: MetricSeries) -> [UInt8] {
        var out: [UInt8] = []
        field(0x0A, Array(series.key.utf8), to: &out)
        field(0x12, series.modelID?.array ?? [], to: &out)
        field(0x1A, Array(series.datasetName.utf8), to: &out)
        field(0x22, Array(series.datasetDigest.utf8), to: &out)
        return out
    }

    private static func field(_ tag: UInt8, _ bytes: [UInt8], to out: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        bytes.withUnsafeBytes { ProtobufBytes.append(tag, $0, to: &out) }
    }
}
