import LinajeDomain
import LinajeWire

extension PluginProcess: BackendPeer {
    func ask<Request: Sendable, Response: Sendable>(
        _ method: LinajeWire.Method<Request, Response>, _ request: Request
    ) async throws -> Response {
        let end = ContinuousClock.now + configuration.deadline
        return try await exclusively(until: end) { process in
            let session = try await process.running(until: end)
            return try await process.guarding(session, until: end) {
                try await session.call(method, request, serving: nil)
            }
        }
    }
}
