public import LinajeDomain
import LinajeTransport
import LinajeWire

/// What becomes of runs that are deleted for good. One task reads it; when it stops reading, the daemon
/// begins no further run.
public struct PurgeReading: Sendable, AsyncSequence {
    let stream: ClientStream<Linaje_V1_PurgeRunsOpened>

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ClientStream<Linaje_V1_PurgeRunsOpened>

        /// How far it is with a run; `nil` when everything is done.
        public mutating func next() async throws -> PurgedRun? {
            guard let payload = try await stream.next() else { return nil }
            return try PurgedRun(Linaje_V1_PurgedRun(payload: payload))
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

extension LinajeClient {
    /// Deletes runs for good, with their points, logs and inputs; nothing brings them back. A run
    /// that must stay comes with its failure.
    ///
    /// - Throws: `permissionDenied` for anybody but an admin; `limitExceeded` for more than
    ///   `Limits.purgedRuns` named runs.
    public func purge(_ purge: RunPurge) async throws -> PurgeReading {
        let stream = try await connections.connection().open(
            Methods.purgeRuns, Linaje_V1_PurgeRunsRequest(purge))
        _ = try await stream.response()
        return PurgeReading(stream: stream)
    }
}
