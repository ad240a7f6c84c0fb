import LinajeDomain
import LinajeMetrics
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addMetrics(_ service: MetricService) {
        metricStream(Methods.streamMetrics)
        stream(Methods.getMetricHistory) { request, _, stream in
            let pieces = try await service.history(
                RunID(request.runID), MetricQuery(request))
            try stream.respond(Linaje_V1_MetricHistoryOpened())
            for try await (series, columns) in pieces {
                try await stream.sendPoints(series, columns, missed: 0)
            }
            stream.end()
        }
        stream(Methods.getMetricBuckets) { request, _, stream in
            let found = try await service.buckets(
                RunID(request.runID), MetricBucketQuery(request))
            try stream.respond(Linaje_V1_MetricBucketsOpened())
            for try await (series, buckets) in found {
                try await stream.sendBuckets(series, buckets)
            }
            stream.end()
        }
        stream(Methods.tailMetrics) { request, _, stream in
            let run = try RunID(request.runID)
            let pieces = try await service.tail(run, keys: MetricQuery.keys(request.keys))
            try stream.respond(Linaje_V1_MetricHistoryOpened())
            try await withTailOf(stream) {
                for await piece in pieces {
                    try await stream.sendPoints(piece.series, piece.columns, missed: piece.missed)
                }
            }
            try await service.requireThere(run)
            stream.end()
        }
        unary(Methods.getMetricSummaries) { request, _ in
            var answer = Linaje_V1_GetMetricSummariesResponse()
            answer.summaries = try await service.summaries(
                RunID(request.runID), keys: MetricQuery.keys(request.keys)
            ).map(Linaje_V1_MetricSummary.init)
            return answer
        }
    }
}

/// Runs `body` until it ends or the client leaves: a tail may be silent for hours, so that sending
/// alone would not notice.
private func withTailOf(
    _ stream: CallStream, _ body: @Sendable @escaping () async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await body() }
        group.addTask { await stream.closed() }
        try await group.next()
        group.cancelAll()
    }
}

extension CallStream {
    /// Sends points in frames that fit any client's credit.
    fileprivate func sendPoints(
        _ series: MetricSeries, _ columns: MetricColumns, missed: UInt64
    ) async throws {
        var start = 0
        var missed = missed
        while start < columns.count {
            let end = min(start + Self.pointsPerFrame, columns.count)
            let part = columns[start..<end]
            try await send(Linaje_V1_MetricPoints(part, of: series, missed: missed))
            missed = 0
            start = end
        }
    }

    fileprivate func sendBuckets(
        _ series: MetricSeries, _ buckets: [MetricBucket]
    ) async throws {
        for start in stride(from: 0, to: buckets.count, by: Self.bucketsPerFrame) {
            var message = Linaje_V1_MetricBuckets()
            message.series = Linaje_V1_Series(series)
            message.buckets = buckets[start..<min(buckets.count, start + Self.bucketsPerFrame)]
                .map(Linaje_V1_MetricBucket.init)
            try await send(message)
        }
    }

    /// Up to 100 bytes a bucket.
    private static let bucketsPerFrame = 1_000
    /// 24 bytes a point: about 96 KiB a frame.
    private static let pointsPerFrame = 4_096
}
