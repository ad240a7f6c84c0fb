public import LinajeDomain
public import LinajePluginKit

/// A database around another, for tests that make something of it fail, wait or end: what such a one
/// does not say otherwise, the inner one does.
public protocol ForwardingSQLBackend: SQLBackend {
    /// What is forwarded to.
    var inner: any SQLBackend { get }
}

extension ForwardingSQLBackend {
    public var descriptor: PluginDescriptor { inner.descriptor }
    public var dialect: SQLDialect { inner.dialect }
    public var changes: UInt64 { inner.changes }

    public func write<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        try await inner.write(body)
    }

    public func read<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        try await inner.read(body)
    }

    public func migrate(_ namespace: String, _ migrations: [SQLMigration]) async throws {
        try await inner.migrate(namespace, migrations)
    }

    public func maintain(
        _ task: MaintenanceTask, from cursor: String?
    ) async throws -> SQLMaintenanceStep {
        try await inner.maintain(task, from: cursor)
    }

    public func copy(to path: String) async throws { try await inner.copy(to: path) }
    public func close() async throws { try await inner.close() }
}
