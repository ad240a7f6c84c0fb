import LinajeDomain

@testable import LinajeMetrics

/// Plain arrays of points in the order of arrival: what the engine is compared with.
struct MetricModel {
    var points: [MetricSeries: [MetricPoint]] = [:]

    mutating func add(_ batch: MetricBatch) {
        for point in 0..<batch.count {
            let place = batch.seriesIndex.isEmpty ? 0 : Int(batch.seriesIndex[point])
            points[batch.series[place], default: []].append(batch.columns[point])
        }
    }

    func summaries(_ keys: Set<String> = []) -> [MetricSummary] {
        points.filter { keys.isEmpty || keys.contains($0.key.key) }.map { series, points in
            var summary = MetricSummary(series: series, point: points[0])
            for point in points.dropFirst() { summary.fold(point) }
            return summary
        }.sorted { $0.series.isOrdered(before: $1.series) }
    }

    /// The buckets of every series, by brute force.
    func buckets(_ query: MetricBucketQuery) -> [(MetricSeries, [MetricBucket])] {
        let all = query.axis == .time ? points.values.flatMap { $0 }.map(\.time) : []
        return points.sorted(by: { $0.key.isOrdered(before: $1.key) }).compactMap {
            series, points in
            guard query.points.keys.isEmpty || query.points.keys.contains(series.key) else {
                return nil
            }
            func number(_ point: MetricPoint) -> Int64 {
                query.axis == .step ? point.step : point.time
            }
            let numbers = query.axis == .step ? points.map(\.step) : all
            let wanted = query.axis == .step ? query.points.steps : query.points.times
            var (low, high) = (numbers.min() ?? 0, numbers.max() ?? 0)
            low = max(low, wanted?.lowerBound ?? low)
            high = min(high, wanted?.upperBound ?? high)
            guard low <= high else { return nil }
            var found: [Int: MetricSummary] = [:]
            for point in points where query.points.includes(point) {
                let bucket = Self.bucket(number(point), low, high, query.count)
                if found[bucket]?.fold(point) == nil {
                    found[bucket] = MetricSummary(series: series, point: point)
                }
            }
            let buckets = found.sorted { $0.key < $1.key }.map { _, summary in
                MetricBucket(
                    count: summary.count, nanCount: summary.nanCount, min: summary.min,
                    max: summary.max, first: summary.first, last: summary.last)
            }
            return buckets.isEmpty ? nil : (series, buckets)
        }
    }

    /// floor((number - low) * count / (high - low + 1))
    private static func bucket(_ number: Int64, _ low: Int64, _ high: Int64, _ count: Int) -> Int {
        let span = UInt128(UInt64(bitPattern: high &- low)) + 1
        let offset = UInt128(UInt64(bitPattern: number &- low))
        return Int(offset * UInt128(count) / span)
    }

    func history(_ query: MetricQuery) -> [(MetricSeries, [MetricPoint])] {
        var left = query.limit == 0 ? Int.max : Int(query.limit)
        var out: [(MetricSeries, [MetricPoint])] = []
        for (series, points) in points.sorted(by: { $0.key.isOrdered(before: $1.key) })
        where query.keys.isEmpty || query.keys.contains(series.key) {
            let wanted = points.enumerated().filter { query.includes($0.element) }.sorted {
                ($0.element.step, $0.element.time, $0.offset)
                    < ($1.element.step, $1.element.time, $1.offset)
            }.prefix(left).map(\.element)
            left -= wanted.count
            if !wanted.isEmpty { out.append((series, wanted)) }
        }
        return out
    }
}

/// Everything that a summary says, NaN by its bits; the model does not tell zeros apart.
func text(_ summary: MetricSummary) -> String {
    func text(_ point: MetricPoint) -> String {
        "\(point.step) \(point.time) \(point.value.bitPattern)"
    }
    return "\(summary.series) \(summary.count) \(summary.nanCount) "
        + "\(summary.min.map { $0 + 0 } ?? .nan) \(summary.max.map { $0 + 0 } ?? .nan) "
        + "\(text(summary.first)) \(text(summary.last))"
}

func text(_ series: MetricSeries, _ points: [MetricPoint]) -> [String] {
    points.map { "\(series) \($0.step) \($0.time) \($0.value.bitPattern)" }
}

/// A batch of few steps, times and values, so that all of them meet again.
func randomBatch(
    _ sequence: UInt64, _ generator: inout SeededGenerator
) throws -> MetricBatch {
    let names = ["loss", "acc", "é", "loss"]
    let count = Int.random(in: 1...40, using: &generator)
    let seriesCount = Int.random(in: 1...4, using: &generator)
    var columns = MetricColumns()
    let values: [Double] = [.nan, .infinity, -.infinity, -0.0, 0, 1, 2.5, -7]
    for _ in 0..<count {
        columns.append(
            MetricPoint(
                step: [.min, -1, 0, 1, 2, 3, .max].randomElement(using: &generator) ?? 0,
                time: .random(in: 0...3, using: &generator),
                value: values.randomElement(using: &generator) ?? 0))
    }
    return try MetricBatch(
        sequence: sequence,
        series: (0..<seriesCount).map { place in
            MetricSeries(
                key: names[place],
                modelID: place == 3 ? LoggedModelID(bytes: Bytes16(high: 7, low: 7)) : nil,
                datasetName: place == 1 ? "test" : "")
        },
        seriesIndex: seriesCount == 1
            ? []
            : (0..<count).map { _ in .random(in: 0..<UInt32(seriesCount), using: &generator) },
        columns: columns)
}

/// Queries of every kind.
func queries(_ generator: inout SeededGenerator) -> [MetricQuery] {
    [
        MetricQuery(), MetricQuery(keys: ["acc"]), MetricQuery(keys: ["loss", "none"]),
        MetricQuery(steps: 0...2), MetricQuery(steps: .min ... -1, times: 1...2),
        MetricQuery(limit: 1), MetricQuery(limit: .random(in: 1...200, using: &generator)),
        MetricQuery(steps: 5...6), MetricQuery(keys: ["é"], times: 3...3, limit: 7),
    ]
}

/// Everything that a bucket says, as `text` of a summary.
func text(_ series: MetricSeries, _ buckets: [MetricBucket]) -> [String] {
    buckets.map { bucket in
        text(
            MetricSummary(
                series: series, count: bucket.count, nanCount: bucket.nanCount, min: bucket.min,
                max: bucket.max, first: bucket.first, last: bucket.last))
    }
}

extension MetricStore {
    /// The buckets of a query as text.
    func bucketTexts(_ run: RunID, _ query: MetricBucketQuery) async throws -> [String] {
        var out: [String] = []
        for try await (series, buckets) in try await buckets(run, query) {
            out += text(series, buckets)
        }
        return out
    }
}

/// Buckets of every kind.
func bucketQueries(_ generator: inout SeededGenerator) throws -> [MetricBucketQuery] {
    try [MetricAxis.step, .time].flatMap { axis in
        try [
            MetricQuery(), MetricQuery(keys: ["acc", "é"]), MetricQuery(steps: -1...2),
            MetricQuery(steps: 0...3, times: 1...2), MetricQuery(steps: 5...6),
        ].map {
            try MetricBucketQuery($0, count: .random(in: 1...9, using: &generator), axis: axis)
        }
    }
}
