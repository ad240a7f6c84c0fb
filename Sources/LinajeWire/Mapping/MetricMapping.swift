package import LinajeDomain

extension Linaje_V1_Series {
    package init(_ series: MetricSeries) {
        self.init()
        key = series.key
        if let id = series.modelID { modelID = id.data }
        datasetName = series.datasetName
        datasetDigest = series.datasetDigest
    }
}

extension MetricSeries {
    /// The key's bounds are checked where a batch is made of it.
    ///
    /// - Throws: `invalidArgument` for a model id of a wrong length.
    package init(_ message: Linaje_V1_Series) throws {
        self.init(
            key: message.key, modelID: try LoggedModelID.orNil(message.modelID),
            datasetName: message.datasetName, datasetDigest: message.datasetDigest)
    }
}

extension Linaje_V1_MetricPoint {
    package init(_ point: MetricPoint) {
        self.init()
        step = point.step
        timeUs = point.time
        value = point.value
    }
}

extension MetricPoint {
    package init(_ message: Linaje_V1_MetricPoint) {
        self.init(step: message.step, time: message.timeUs, value: message.value)
    }
}

extension Linaje_V1_MetricSummary {
    package init(_ summary: MetricSummary) {
        self.init()
        series = Linaje_V1_Series(summary.series)
        count = summary.count
        nanCount = summary.nanCount
        if let lowest = summary.min { min = lowest }
        if let highest = summary.max { max = highest }
        first = Linaje_V1_MetricPoint(summary.first)
        last = Linaje_V1_MetricPoint(summary.last)
    }
}

extension MetricSummary {
    /// - Throws: `invalidArgument` naming the field that is not right or not there.
    package init(_ message: Linaje_V1_MetricSummary) throws {
        guard message.hasSeries else {
            throw WireFields.missing("series", of: "metric summary")
        }
        guard message.hasFirst, message.hasLast else {
            throw WireFields.missing("first or last", of: "metric summary")
        }
        self.init(
            series: try MetricSeries(message.series), count: message.count,
            nanCount: message.nanCount, min: message.hasMin ? message.min : nil,
            max: message.hasMax ? message.max : nil, first: MetricPoint(message.first),
            last: MetricPoint(message.last))
    }
}

extension Linaje_V1_MetricBatch {
    package init(_ batch: MetricBatch) {
        self.init()
        sequence = batch.sequence
        series = batch.series.map(Linaje_V1_Series.init)
        seriesIndex = batch.seriesIndex
        step = batch.columns.steps
        timeUs = batch.columns.times
        value = batch.columns.values
    }
}

extension MetricBatch {
    /// The columns are shared with the message, not copied.
    ///
    /// - Throws: `invalidArgument` or `limitExceeded` when the columns do not fit together, an
    ///   index points nowhere, or a bound is broken.
    package init(_ message: Linaje_V1_MetricBatch) throws {
        guard message.series.count <= Limits.batchSeries else {
            throw LinajeError(
                .limitExceeded,
                "metric batch \(message.sequence) has \(message.series.count) series; 1 to "
                    + "\(Limits.batchSeries) are allowed")
        }
        try self.init(
            sequence: message.sequence, series: message.series.map { try MetricSeries($0) },
            seriesIndex: message.seriesIndex,
            columns: MetricColumns(
                steps: message.step, times: message.timeUs, values: message.value))
    }
}

extension Linaje_V1_MetricPoints {
    /// A part of one series; `missed` points were dropped before it for a slow reader.
    package init(_ columns: MetricColumns, of series: MetricSeries, missed: UInt64 = 0) {
        self.init()
        self.series = Linaje_V1_Series(series)
        step = columns.steps
        timeUs = columns.times
        value = columns.values
        self.missed = missed
    }
}

extension MetricColumns {
    /// The columns are shared with the message, not copied.
    ///
    /// - Throws: `invalidArgument` when the columns differ in length.
    package init(_ message: Linaje_V1_MetricPoints) throws {
        guard message.step.count == message.value.count,
            message.timeUs.count == message.value.count
        else {
            throw LinajeError(
                .invalidArgument,
                "columns of the points of \"\(message.series.key)\" differ in length; send one "
                    + "step and time for each value")
        }
        self.init(steps: message.step, times: message.timeUs, values: message.value)
    }
}

extension Linaje_V1_GetMetricHistoryRequest {
    package init(_ query: MetricQuery, run: RunID) {
        self.init()
        runID = run.data
        keys = query.keys.sorted()
        if let steps = query.steps {
            firstStep = steps.lowerBound
            lastStep = steps.upperBound
        }
        if let times = query.times {
            firstTimeUs = times.lowerBound
            lastTimeUs = times.upperBound
        }
        limit = query.limit
    }
}

extension MetricQuery {
    /// - Throws: `invalidArgument` when a first bound is past the last one or a key is not right.
    package init(_ message: Linaje_V1_GetMetricHistoryRequest) throws {
        self.init(
            keys: try MetricQuery.keys(message.keys),
            steps: try MetricQuery.range(
                message.hasFirstStep ? message.firstStep : nil,
                message.hasLastStep ? message.lastStep : nil, noun: "step"),
            times: try MetricQuery.range(
                message.hasFirstTimeUs ? message.firstTimeUs : nil,
                message.hasLastTimeUs ? message.lastTimeUs : nil, noun: "time_us"),
            limit: message.limit)
    }

    /// The names of the metrics that a request asks for; empty: all.
    ///
    /// - Throws: `invalidArgument` or `limitExceeded` for a name that no metric can have.
    package static func keys(_ keys: [String]) throws -> Set<String> {
        Set(try WireFields.items(keys, field: "keys") { try Names.key($0, of: "metric") })
    }

    static func range(
        _ first: Int64?, _ last: Int64?, noun: String
    ) throws -> ClosedRange<Int64>? {
        if first == nil, last == nil { return nil }
        let lower = first ?? .min
        let upper = last ?? .max
        guard lower <= upper else {
            throw LinajeError(
                .invalidArgument,
                "first_\(noun) \(lower) is past last_\(noun) \(upper); swap them")
        }
        return lower...upper
    }
}
