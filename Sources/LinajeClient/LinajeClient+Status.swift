import LinajeTransport
import LinajeWire

extension LinajeClient {
    /// Asks how the daemon is.
    public func status() async throws -> DaemonStatus {
        DaemonStatus(try await call(Methods.getStatus, Linaje_V1_GetStatusRequest()))
    }

    /// The daemon's own metrics in the Prometheus text format 0.0.4; docs/telemetry.md lists them.
    public func daemonMetrics() async throws -> String {
        try await call(Methods.getDaemonMetrics, Linaje_V1_GetDaemonMetricsRequest()).text
    }

    /// Waits for a sign of life of the daemon.
    public func ping() async throws {
        try await retrying { try await self.connections.connection().ping() }
    }
}
