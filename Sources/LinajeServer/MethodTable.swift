import LinajeDomain
package import LinajeServices
import LinajeWire
import SwiftProtobuf

/// What to do for each opcode: the one list of what the daemon answers.
package struct MethodTable: Sendable {
    /// A method as the session calls it.
    struct Entry: Sendable {
        let name: String
        let role: Role?
        let needsKey: Bool
        let metrics: CallMetrics
        let body: Body
    }

    enum Body: Sendable {
        /// One request, one answer.
        case unary(@Sendable (ArraySlice<UInt8>, CallContext) async throws -> [UInt8])
        /// Anything else that runs as its own task.
        case stream(@Sendable (ArraySlice<UInt8>, CallContext, CallStream) async throws -> Void)
        /// Metric streams: their data goes from the event loop straight into the ingest queue.
        case metrics(@Sendable (ArraySlice<UInt8>) throws -> Linaje_V1_StreamMetricsRequest)
    }

    private(set) var entries: [UInt16: Entry] = [:]

    /// All methods over `services`.
    package init(_ services: Services, connections: ConnectionCount) {
        addStatus(services.status, connections: connections)
        addMaintenance(services.maintenance)
        addExperiments(services.experiments)
        addRuns(services.runs)
        addRunPurges(services.purges)
        addRunLogs(services.runLogs)
        addMetrics(services.metrics)
        addArtifacts(services.artifacts)
        addArtifactUpkeep(services.upkeep)
        addRemotes(services.remotes)
        addBackups(services.backups)
        addImports(services.imports)
        addRetention(services.retention)
        addPlugins(services.plugins)
        addRegistry(services.registry)
        addVersions(services.registry)
        addLoggedModels(services.loggedModels)
        addLedger(services.ledger)
    }

    /// The opcodes that are answered.
    package var opcodes: Set<UInt16> { Set(entries.keys) }

    mutating func unary<Request, Response>(
        _ method: Method<Request, Response>,
        _ body: @Sendable @escaping (Request, CallContext) async throws -> Response
    ) {
        add(method) {
            .unary { bytes, context in
                try await body(try Request(payload: bytes), context).serializedBytes()
            }
        }
    }

    /// As `unary`, for an answer whose bytes `body` has put together itself.
    mutating func encodedUnary<Request, Response>(
        _ method: Method<Request, Response>,
        _ body: @Sendable @escaping (Request, CallContext) async throws -> [UInt8]
    ) {
        add(method) {
            .unary { bytes, context in try await body(try Request(payload: bytes), context) }
        }
    }

    mutating func stream<Request, Response>(
        _ method: Method<Request, Response>,
        _ body: @Sendable @escaping (Request, CallContext, CallStream) async throws -> Void
    ) {
        add(method) {
            .stream { bytes, context, stream in
                try await body(try Request(payload: bytes), context, stream)
            }
        }
    }

    mutating func metricStream(
        _ method: Method<Linaje_V1_StreamMetricsRequest, Linaje_V1_MetricStreamOpened>
    ) {
        add(method) { .metrics { try Linaje_V1_StreamMetricsRequest(payload: $0) } }
    }

    private mutating func add<Request, Response>(
        _ method: Method<Request, Response>, _ body: () -> Body
    ) {
        precondition(entries[method.opcode] == nil, "method \(method.name) is registered twice")
        entries[method.opcode] = Entry(
            name: method.name, role: method.role,
            needsKey: method.isMutation && method.kind == .unary,
            metrics: CallMetrics(method: method.name, isUnary: method.kind == .unary),
            body: body())
    }
}
