package import LinajeDomain

/// Points of one writer in the order of arrival, as one row of the database holds them.
///
/// The bytes are those of `proto-spec/STORAGE.md`, "Metric segments".
package struct MetricSegment: Sendable, Hashable {
    /// Most points of a segment.
    package static let maximumPoints = 65_536
    /// Most series of a segment.
    package static let maximumSeries = 65_535

    package var series: [MetricSeries]
    /// For each point, its place in `series`; empty when there is one series only.
    package var seriesIndex: [UInt16]
    package var columns: MetricColumns

    package init(
        series: [MetricSeries] = [], seriesIndex: [UInt16] = [],
        columns: MetricColumns = MetricColumns()
    ) {
        self.series = series
        self.seriesIndex = seriesIndex
        self.columns = columns
    }

    package var count: Int { columns.count }
}

extension MetricSegment {
    /// Calls `body` with each point and the place of its series, in the order of arrival.
    func forEachPoint(_ body: (Int, MetricPoint) -> Void) {
        for point in 0..<count {
            body(seriesIndex.isEmpty ? 0 : Int(seriesIndex[point]), columns[point])
        }
    }
}

/// Lowest and highest value of a column of whole numbers.
struct ColumnBounds: Sendable, Hashable {
    var low: Int64
    var high: Int64

    /// The bounds of `values`; 0 and 0 for none.
    init(_ values: [Int64]) {
        var low = values.first ?? 0
        var high = low
        values.withUnsafeBufferPointer { buffer in
            for value in buffer {
                low = Swift.min(low, value)
                high = Swift.max(high, value)
            }
        }
        self.low = low
        self.high = high
    }

    /// Bytes that an offset from `low` needs: 0, 1, 2, 4 or 8.
    var width: Int {
        switch UInt64(bitPattern: high &- low) {
        case 0: 0
        case ...0xff: 1
        case ...0xffff: 2
        case ...0xffff_ffff: 4
        default: 8
        }
    }
}
