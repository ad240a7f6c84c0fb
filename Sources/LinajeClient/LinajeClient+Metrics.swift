public import LinajeDomain
import LinajeTransport
import LinajeWire

/// A part of one series, as a history or a tail delivers it.
public struct MetricChunk: Sendable, Hashable {
    public var series: MetricSeries
    public var columns: MetricColumns
    /// Points that a slow reader of a tail has missed before these; a history has no gaps.
    public var missed: UInt64

    public init(series: MetricSeries, columns: MetricColumns, missed: UInt64) {
        self.series = series
        self.columns = columns
        self.missed = missed
    }
}

/// Points of a run, as they come. One task reads it.
public struct MetricReading: Sendable, AsyncSequence {
    let stream: ClientStream<Linaje_V1_MetricHistoryOpened>

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ClientStream<Linaje_V1_MetricHistoryOpened>

        /// The next part; `nil` after the last.
        public mutating func next() async throws -> MetricChunk? {
            guard let payload = try await stream.next() else { return nil }
            let message = try Linaje_V1_MetricPoints(payload: payload)
            return MetricChunk(
                series: try MetricSeries(message.series), columns: try MetricColumns(message),
                missed: message.missed)
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

extension LinajeClient {
    /// The points of a run, each series in the order (step, time, arrival).
    public func history(of run: RunID, _ query: MetricQuery = MetricQuery()) async throws
        -> MetricReading
    {
        try await reading(
            Methods.getMetricHistory, Linaje_V1_GetMetricHistoryRequest(query, run: run))
    }

    /// The points of a run in buckets, series by series. A series with many comes in parts.
    public func buckets(
        of run: RunID, _ query: MetricBucketQuery
    ) async throws -> MetricBucketReading {
        try await retrying {
            let stream = try await self.connections.connection().open(
                Methods.getMetricBuckets, Linaje_V1_GetMetricBucketsRequest(query, run: run))
            _ = try await stream.response()
            return MetricBucketReading(stream: stream)
        }
    }

    /// The points of a run as they become durable, until the run ends.
    public func tail(_ run: RunID, keys: Set<String> = []) async throws -> MetricReading {
        var request = Linaje_V1_TailMetricsRequest()
        request.runID = run.data
        request.keys = keys.sorted()
        return try await reading(Methods.tailMetrics, request)
    }

    /// What is known of a run's series at once, by key.
    public func summaries(of run: RunID, keys: Set<String> = []) async throws -> [MetricSummary] {
        var request = Linaje_V1_GetMetricSummariesRequest()
        request.runID = run.data
        request.keys = keys.sorted()
        return try await call(Methods.getMetricSummaries, request).summaries.map {
            try MetricSummary($0)
        }
    }

    /// Opens a stream of metric points into a run.
    ///
    /// - Parameters:
    ///   - writer: names the writer over reconnects and restarts: with the id of an earlier stream
    ///     numbering goes on after its last durable batch.
    ///   - replay: the points were recorded before the run ended.
    ///   - reconnects: whether a broken connection is made anew and what was not acknowledged sent
    ///     again, each batch stored once. Without it the stream fails.
    /// - Throws: `notFound`, `runNotActive`, `permissionDenied`.
    public func metricStream(
        run: RunID, writer: WriterID = .random(), replay: Bool = false, reconnects: Bool = true
    ) async throws -> MetricStream {
        let stream = MetricStream(
            client: self, run: run, writer: writer, replay: replay, reconnects: reconnects)
        try await retrying { try await stream.start() }
        return stream
    }

    private func reading<Request>(
        _ method: Method<Request, Linaje_V1_MetricHistoryOpened>, _ request: Request
    ) async throws -> MetricReading {
        try await retrying {
            let stream = try await self.connections.connection().open(method, request)
            _ = try await stream.response()
            return MetricReading(stream: stream)
        }
    }
}
