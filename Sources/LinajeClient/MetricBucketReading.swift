public import LinajeDomain
import LinajeTransport
import LinajeWire

/// Buckets as they arrive, series by series.
public struct MetricBucketReading: Sendable, AsyncSequence {
    let stream: ClientStream<Linaje_V1_MetricBucketsOpened>

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ClientStream<Linaje_V1_MetricBucketsOpened>

        /// The next buckets of a series; `nil` after the last.
        public mutating func next() async throws -> (series: MetricSeries, buckets: [MetricBucket])?
        {
            guard let payload = try await stream.next() else { return nil }
            let message = try Linaje_V1_MetricBuckets(payload: payload)
            return (try MetricSeries(message.series), message.buckets.map(MetricBucket.init))
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}
