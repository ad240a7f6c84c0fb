package import LinajeDomain
package import LinajePluginKit
package import Logging
import ServiceLifecycle

package struct MetricStatistics: Sendable { package var points: UInt64; package var commits: UInt64; package var queuedBytes: Int; package var failure: LinajeError? }
package struct MetricTailPiece: Sendable { package var series: MetricSeries; package var columns: MetricColumns; package var missed: UInt64 }
package final class MetricStore: Service, Sendable {
  package init(backend: any SQLBackend, clock: any WallClock, logger: Logger, queueBytes: Int = 0) {}
  package func prepare() async throws {}
  package func openWriter(run: RunID, writer: WriterID, onDurable: @escaping @Sendable (MetricWriter.Progress) -> Void, onFailure: @escaping @Sendable (LinajeError) -> Void) async throws -> MetricWriter { MetricWriter() }
  package func run() async throws {}
  package func history(_ run: RunID, _ query: MetricQuery) -> AsyncThrowingStream<(MetricSeries, MetricColumns), any Error> { AsyncThrowingStream { nil } }
  package func summaries(_ run: RunID, keys: Set<String>) async throws -> [MetricSummary] { [] }
  package func tail(_ run: RunID, keys: Set<String>) -> AsyncStream<MetricTailPiece> { AsyncStream { nil } }
  package func endTails(_ run: RunID) {}
  package var statistics: MetricStatistics { MetricStatistics(points: 0, commits: 0, queuedBytes: 0) }
}
package final class MetricWriter: Sendable {
  package let durableThrough: UInt64 = 0
  package func submit(_ batch: MetricBatch, bytes: Int) throws {}
  package func finish(_ done: @escaping @Sendable () -> Void) {}
  package func close() {}
  package struct Progress: Sendable { package var durableThrough: UInt64; package var releasedBytes: Int }
}
