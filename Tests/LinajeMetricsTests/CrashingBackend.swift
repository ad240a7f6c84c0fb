import Foundation
import LinajeConformance
import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Synchronization

/// A database that is lost at a chosen step.
///
/// Steps are counted over all transactions: before each statement of a write, before its commit, and
/// after it, before anybody is told; and before each read. At the chosen one the database's files are
/// copied as they are, as a machine that loses its power would leave them, and from then on
/// everything fails.
final class CrashingBackend: ForwardingSQLBackend {
    static let error = LinajeError(.storageFailed, "the machine has lost its power")

    private struct State {
        var steps = 0
        var crashAt = Int.max
        var hasCrashed = false
    }

    let inner: any SQLBackend
    private let path: String
    private let image: String
    private let state = Mutex(State())

    /// - Parameter image: where the files are copied to.
    init(_ inner: SQLiteBackend, image: String) {
        self.inner = inner
        path = inner.path
        self.image = image
    }

    var hasCrashed: Bool { state.withLock(\.hasCrashed) }

    /// Loses the database so many steps from now.
    func crash(after steps: Int) { state.withLock { $0.crashAt = $0.steps + steps } }

    /// - Throws: `error` from the chosen step on.
    func step() throws {
        let isNow = try state.withLock { state in
            guard !state.hasCrashed else { throw Self.error }
            state.steps += 1
            guard state.steps >= state.crashAt else { return false }
            state.hasCrashed = true
            return true
        }
        guard isNow else { return }
        for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: path + suffix) {
            try? FileManager.default.removeItem(atPath: image + suffix)
            try FileManager.default.copyItem(atPath: path + suffix, toPath: image + suffix)
        }
        throw Self.error
    }

    func write<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        let value = try await inner.write { connection in
            let value = try body(CrashingConnection(inner: connection, backend: self))
            try self.step()
            return value
        }
        try step()
        return value
    }

    func read<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        try step()
        return try await inner.read(body)
    }
}

private struct CrashingConnection: SQLConnection {
    let inner: any SQLConnection
    let backend: CrashingBackend

    var dialect: SQLDialect { inner.dialect }

    func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
        try backend.step()
        return try inner.execute(sql, arguments)
    }

    func query(_ sql: String, _ arguments: [SQLValue], row: (any SQLRow) throws -> Void) throws {
        try backend.step()
        try inner.query(sql, arguments, row: row)
    }
}
