import LinajeDomain
package import LinajePluginKit
import Metrics

/// Counts what is asked of a backend and how long it takes (docs/telemetry.md).
package struct MeteredBackend: ArtifactBackend {
    private let backend: any ArtifactBackend
    private let meter: BackendMeter

    package init(_ backend: any ArtifactBackend) {
        self.backend = backend
        meter = BackendMeter(backend.descriptor.name)
    }

    package var descriptor: PluginDescriptor { backend.descriptor }
    package var properties: ArtifactBackendProperties { backend.properties }

    package func put(_ key: String) async throws -> any ArtifactWriter {
        MeteredWriter(writer: try await backend.put(key), meter: meter)
    }

    package func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] {
        let bytes = try await meter.measure(.get) { try await backend.get(key, range: range) }
        meter.read(bytes.count)
        return bytes
    }

    package func stat(_ key: String) async throws -> UInt64? {
        try await meter.measure(.stat) { try await backend.stat(key) }
    }

    package func list(prefix: String) async throws -> [(key: String, size: UInt64)] {
        try await meter.measure(.list) { try await backend.list(prefix: prefix) }
    }

    package func remove(_ key: String) async throws {
        try await meter.measure(.remove) { try await backend.remove(key) }
    }

    package func close() async { await backend.close() }
}

/// An object counts when it is committed: writes before that may only have filled a buffer.
private actor MeteredWriter: ArtifactWriter {
    private let writer: any ArtifactWriter
    private let meter: BackendMeter
    private let began = ContinuousClock.now
    private var size = 0
    private var isOver = false

    init(writer: any ArtifactWriter, meter: BackendMeter) {
        self.writer = writer
        self.meter = meter
    }

    func write(_ bytes: [UInt8]) async throws {
        size += bytes.count
        try await counted { try await writer.write(bytes) }
    }

    func commit() async throws {
        try await counted { try await writer.commit() }
        guard !isOver else { return }
        isOver = true
        meter.count(.put, since: began, nil)
        meter.wrote(size)
    }

    func abort() async { await writer.abort() }

    private func counted(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch {
            if !isOver { meter.count(.put, since: began, error) }
            isOver = true
            throw error
        }
    }
}

/// The counters of one backend.
private struct BackendMeter: Sendable {
    enum Operation: String, Sendable, CaseIterable { case get, list, put, remove, stat }

    private let name: String
    private let bytesRead: Counter
    private let bytesWritten: Counter
    private let times: [Operation: Timer]

    init(_ name: String) {
        self.name = name
        bytesRead = Counter(
            label: "linaje_backend_bytes_total",
            dimensions: [("backend", name), ("direction", "read")])
        bytesWritten = Counter(
            label: "linaje_backend_bytes_total",
            dimensions: [("backend", name), ("direction", "written")])
        times = Dictionary(
            uniqueKeysWithValues: Operation.allCases.map { operation in
                (
                    operation,
                    Timer(
                        label: "linaje_backend_seconds",
                        dimensions: [("backend", name), ("operation", operation.rawValue)])
                )
            })
    }

    func read(_ count: Int) { bytesRead.increment(by: count) }
    func wrote(_ count: Int) { bytesWritten.increment(by: count) }

    func measure<Value>(
        _ operation: Operation, _ body: () async throws -> Value
    ) async throws -> Value {
        let began = ContinuousClock.now
        do {
            let value = try await body()
            count(operation, since: began, nil)
            return value
        } catch {
            count(operation, since: began, error)
            throw error
        }
    }

    /// One request is over. The results are the names of errors, a closed set.
    func count(_ operation: Operation, since began: ContinuousClock.Instant, _ error: (any Error)?)
    {
        let result =
            switch error {
            case nil: "ok"
            case let error as LinajeError: error.code.name
            default: error is CancellationError ? "cancelled" : "internal"
            }
        Counter(
            label: "linaje_backend_requests_total",
            dimensions: [
                ("backend", name), ("operation", operation.rawValue), ("result", result),
            ]
        ).increment()
        times[operation]?.record(duration: began.duration(to: .now))
    }
}
