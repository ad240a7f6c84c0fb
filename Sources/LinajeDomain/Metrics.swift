/// What a column of values is about, inside a run.
public struct MetricSeries: Sendable, Hashable {
    /// The metric's name.
    public var key: String
    /// The logged model the values are about.
    public var modelID: LoggedModelID?
    /// The data set they were measured on, and its digest text; empty for none.
    public var datasetName: String
    public var datasetDigest: String

    public init(
        key: String, modelID: LoggedModelID? = nil, datasetName: String = "",
        datasetDigest: String = ""
    ) {
        self.key = key
        self.modelID = modelID
        self.datasetName = datasetName
        self.datasetDigest = datasetDigest
    }
}

/// One measurement: a step, a moment, a value. NaN and infinities are values.
public struct MetricPoint: Sendable, Hashable {
    public var step: Int64
    /// Microseconds since 1970 UTC.
    public var time: Int64
    public var value: Double

    public init(step: Int64, time: Int64, value: Double) {
        self.step = step
        self.time = time
        self.value = value
    }

    /// Order inside a series: by step, then time. Points equal in both keep their arrival order.
    public static func precedes(_ left: MetricPoint, _ right: MetricPoint) -> Bool {
        (left.step, left.time) < (right.step, right.time)
    }
}

/// Points of one series, in columns of equal length.
public struct MetricColumns: Sendable, Hashable {
    public var steps: [Int64]
    public var times: [Int64]
    public var values: [Double]

    public init(steps: [Int64] = [], times: [Int64] = [], values: [Double] = []) {
        self.steps = steps
        self.times = times
        self.values = values
    }

    public var count: Int { values.count }

    public subscript(index: Int) -> MetricPoint {
        MetricPoint(step: steps[index], time: times[index], value: values[index])
    }

    /// The points of a range of places.
    public subscript(range: Range<Int>) -> MetricColumns {
        MetricColumns(
            steps: Array(steps[range]), times: Array(times[range]), values: Array(values[range]))
    }

    public mutating func append(_ point: MetricPoint) {
        steps.append(point.step)
        times.append(point.time)
        values.append(point.value)
    }

    public mutating func append(contentsOf other: MetricColumns) {
        steps += other.steps
        times += other.times
        values += other.values
    }
}

/// A numbered batch of points of one writer, as it arrives: columns over several series.
///
/// `seriesIndex` is empty when there is one series only; the other columns have equal length.
public struct MetricBatch: Sendable {
    public var sequence: UInt64
    public var series: [MetricSeries]
    public var seriesIndex: [UInt32]
    public var columns: MetricColumns

    /// - Throws: `invalidArgument` or `limitExceeded` when the columns do not fit together, an
    ///   index points nowhere, or a bound is broken.
    public init(
        sequence: UInt64, series: [MetricSeries], seriesIndex: [UInt32], columns: MetricColumns
    ) throws {
        guard sequence > 0 else {
            throw LinajeError(.invalidArgument, "metric batch has number 0; batches count from 1")
        }
        guard sequence <= UInt64(Int64.max) else {
            throw LinajeError(
                .limitExceeded, "metric batch number \(sequence) is past the last, 2^63-1")
        }
        guard columns.count > 0, columns.count <= Limits.batchPoints else {
            throw LinajeError(
                .limitExceeded,
                "metric batch \(sequence) has \(columns.count) points; 1 to "
                    + "\(Limits.batchPoints) are allowed")
        }
        guard !series.isEmpty, series.count <= Limits.batchSeries else {
            throw LinajeError(
                .limitExceeded,
                "metric batch \(sequence) has \(series.count) series; 1 to "
                    + "\(Limits.batchSeries) are allowed")
        }
        let fits =
            columns.steps.count == columns.count && columns.times.count == columns.count
            && (seriesIndex.isEmpty ? series.count == 1 : seriesIndex.count == columns.count)
        guard fits else {
            throw LinajeError(
                .invalidArgument,
                "columns of metric batch \(sequence) differ in length; send one step, time, value "
                    + "(and series index) for each point")
        }
        guard seriesIndex.allSatisfy({ Int($0) < series.count }) else {
            throw LinajeError(
                .invalidArgument,
                "metric batch \(sequence) has a series index past its \(series.count) series")
        }
        for one in series {
            _ = try Names.key(one.key, of: "metric")
            guard one.datasetName.utf8.count <= Limits.nameBytes,
                one.datasetDigest.utf8.count <= Limits.keyBytes
            else {
                throw LinajeError(
                    .limitExceeded,
                    "data set of metric \"\(one.key)\" has a name or digest too long")
            }
        }
        self.sequence = sequence
        self.series = series
        self.seriesIndex = seriesIndex
        self.columns = columns
    }

    public var count: Int { columns.count }
}

/// What is known of one series at once.
public struct MetricSummary: Sendable, Hashable {
    public var series: MetricSeries
    /// Points, NaN included.
    public var count: UInt64
    public var nanCount: UInt64
    /// Smallest and largest value that is not NaN; `nil` when there is none.
    public var min: Double?
    public var max: Double?
    /// Lowest and highest point by (step, time, arrival).
    public var first: MetricPoint
    public var last: MetricPoint

    /// The summary of one point.
    public init(series: MetricSeries, point: MetricPoint) {
        self.series = series
        count = 1
        nanCount = point.value.isNaN ? 1 : 0
        min = point.value.isNaN ? nil : point.value
        max = min
        first = point
        last = point
    }

    public init(
        series: MetricSeries, count: UInt64, nanCount: UInt64, min: Double?, max: Double?,
        first: MetricPoint, last: MetricPoint
    ) {
        self.series = series
        self.count = count
        self.nanCount = nanCount
        self.min = min
        self.max = max
        self.first = first
        self.last = last
    }

    /// Takes in a point that arrived after all the others.
    public mutating func fold(_ point: MetricPoint) {
        count += 1
        if point.value.isNaN {
            nanCount += 1
        } else {
            if !(min.map { $0 <= point.value } ?? false) { min = point.value }
            if !(max.map { $0 >= point.value } ?? false) { max = point.value }
        }
        if MetricPoint.precedes(point, first) { first = point }
        if !MetricPoint.precedes(point, last) { last = point }
    }

    /// Takes in a summary of the same series whose points arrived after these.
    public mutating func fold(_ later: MetricSummary) {
        count += later.count
        nanCount += later.nanCount
        if let value = later.min, !(min.map { $0 <= value } ?? false) { min = value }
        if let value = later.max, !(max.map { $0 >= value } ?? false) { max = value }
        if MetricPoint.precedes(later.first, first) { first = later.first }
        if !MetricPoint.precedes(later.last, last) { last = later.last }
    }
}

/// Which points of a run are wanted. Bounds are inclusive.
public struct MetricQuery: Sendable, Hashable {
    /// Empty: all.
    public var keys: Set<String>
    public var steps: ClosedRange<Int64>?
    public var times: ClosedRange<Int64>?
    /// 0: all.
    public var limit: UInt64

    public init(
        keys: Set<String> = [], steps: ClosedRange<Int64>? = nil,
        times: ClosedRange<Int64>? = nil, limit: UInt64 = 0
    ) {
        self.keys = keys
        self.steps = steps
        self.times = times
        self.limit = limit
    }
}
