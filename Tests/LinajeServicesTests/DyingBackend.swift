import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Synchronization

/// Steps over several databases, of which one is the last that anything survives.
///
/// Steps are each statement of a write before it runs, its commit, and the moment after it, before
/// anybody is told. From the chosen one on everything fails, in all databases, and a
/// transaction that is open is undone: as if the process had been killed there.
final class Death: Sendable {
    static let error = LinajeError(.storageFailed, "the process was killed")
    private let left: Mutex<Int>

    /// - Parameter steps: how many succeed.
    init(after steps: Int) { left = Mutex(steps) }

    var hasCome: Bool { left.withLock { $0 < 0 } }

    func step() throws {
        try left.withLock { left in
            if left >= 0 { left -= 1 }
            guard left >= 0 else { throw Self.error }
        }
    }
}

/// A database that dies at a chosen step.
final class DyingBackend: ForwardingSQLBackend {
    let inner: any SQLBackend
    private let death: Death

    init(_ inner: any SQLBackend, _ death: Death) {
        self.inner = inner
        self.death = death
    }

    func write<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        let value = try await inner.write { [death] connection in
            let value = try body(DyingConnection(inner: connection, death: death))
            try death.step()
            return value
        }
        try death.step()
        return value
    }

    func read<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        guard !death.hasCome else { throw Death.error }
        return try await inner.read(body)
    }
}

private struct DyingConnection: SQLConnection {
    let inner: any SQLConnection
    let death: Death
    var dialect: SQLDialect { inner.dialect }

    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
        try death.step()
        return try inner.execute(sql, arguments)
    }

    func query(
        _ sql: String, _ arguments: [SQLValue], row: (any SQLRow) throws -> Void
    ) throws {
        try inner.query(sql, arguments, row: row)
    }
}
