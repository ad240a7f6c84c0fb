public import LinajeDomain
import LinajeTransport
import LinajeWire

/// The parts of a maintenance, as the daemon does them. One task reads it; when it stops reading,
/// the daemon stops between two parts.
public struct MaintenanceReading: Sendable, AsyncSequence {
    let stream: ClientStream<Linaje_V1_MaintainOpened>

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ClientStream<Linaje_V1_MaintainOpened>

        /// How far it is after the next part; `nil` when everything is done.
        public mutating func next() async throws -> MaintenanceProgress? {
            guard let payload = try await stream.next() else { return nil }
            return try MaintenanceProgress(Linaje_V1_MaintenanceProgress(payload: payload))
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

extension LinajeClient {
    /// Lets the daemon look after its databases while it goes on serving.
    ///
    /// - Parameter tasks: what to do, in this order; none: everything.
    /// - Throws: `permissionDenied` for anybody but an admin.
    public func maintain(_ tasks: [MaintenanceTask] = []) async throws -> MaintenanceReading {
        var request = Linaje_V1_MaintainRequest()
        request.tasks = tasks.map { Linaje_V1_MaintenanceTask($0) }
        let stream = try await connections.connection().open(Methods.maintain, request)
        _ = try await stream.response()
        return MaintenanceReading(stream: stream)
    }

    /// Keeps the daemon from packing points by itself for a while; what `maintain` asks for is done.
    ///
    /// - Parameter seconds: from now, at most a week; 0 lets it go on.
    /// - Throws: `permissionDenied` for anybody but an admin; `invalidArgument` for a longer pause.
    public func pauseCompaction(seconds: UInt64) async throws {
        var request = Linaje_V1_PauseCompactionRequest()
        request.seconds = seconds
        _ = try await call(Methods.pauseCompaction, request)
    }
}
