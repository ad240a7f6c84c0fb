package import LinajeDomain

extension Linaje_V1_GetMetricBucketsRequest {
    package init(_ query: MetricBucketQuery, run: RunID) {
        self.init()
        runID = run.data
        keys = query.points.keys.sorted()
        if let steps = query.points.steps {
            firstStep = steps.lowerBound
            lastStep = steps.upperBound
        }
        if let times = query.points.times {
            firstTimeUs = times.lowerBound
            lastTimeUs = times.upperBound
        }
        buckets = UInt32(clamping: query.count)
        axis = query.axis == .time ? .time : .step
    }
}

extension MetricBucketQuery {
    /// - Throws: `invalidArgument` for bounds, keys, a number of buckets or an axis that are not right.
    package init(_ message: Linaje_V1_GetMetricBucketsRequest) throws {
        let axis: MetricAxis =
            switch message.axis {
            case .unspecified, .step: .step
            case .time: .time
            case .UNRECOGNIZED(let number):
                throw LinajeError(
                    .invalidArgument, "axis \(number) is not known; send 1 (step) or 2 (time)")
            }
        try self.init(
            MetricQuery(
                keys: MetricQuery.keys(message.keys),
                steps: MetricQuery.range(
                    message.hasFirstStep ? message.firstStep : nil,
                    message.hasLastStep ? message.lastStep : nil, noun: "step"),
                times: MetricQuery.range(
                    message.hasFirstTimeUs ? message.firstTimeUs : nil,
                    message.hasLastTimeUs ? message.lastTimeUs : nil, noun: "time_us")),
            count: Int(message.buckets), axis: axis)
    }
}

extension Linaje_V1_MetricBucket {
    package init(_ bucket: MetricBucket) {
        self.init()
        count = bucket.count
        nanCount = bucket.nanCount
        if let value = bucket.min { min = value }
        if let value = bucket.max { max = value }
        first = Linaje_V1_MetricPoint(bucket.first)
        last = Linaje_V1_MetricPoint(bucket.last)
    }
}

extension MetricBucket {
    package init(_ message: Linaje_V1_MetricBucket) {
        self.init(
            count: message.count, nanCount: message.nanCount,
            min: message.hasMin ? message.min : nil, max: message.hasMax ? message.max : nil,
            first: MetricPoint(message.first), last: MetricPoint(message.last))
    }
}
