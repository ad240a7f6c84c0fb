package import LinajeDomain
package import LinajePluginKit
import Metrics

/// The catalog: experiments, runs, logged models, the registry, its ledger.
///
/// Any number of tasks may use it at once; changes run one after the other. What `change` has
/// returned is durable. Errors are `LinajeError`.
package final class CatalogStore: Sendable {
    private let backend: any SQLBackend
    private let clock: any WallClock
    /// How long one search may keep the database busy.
    let searchTime: Duration
    private let scanPolicy: ScanPolicy
    private let expiredKeys = Counter(label: "linaje_idempotency_expired_total")

    /// A catalog in `backend`; call `prepare` before anything else.
    ///
    /// - Parameter scanPolicy: what verdicts block where a model's own policy says nothing.
    package init(
        backend: any SQLBackend, clock: any WallClock, searchTime: Duration = Limits.searchTime,
        scanPolicy: ScanPolicy = .standard
    ) {
        self.backend = backend
        self.scanPolicy = scanPolicy
        self.searchTime = searchTime
        self.clock = clock
    }

    /// Brings the schema up to date and makes sure that experiment 0, "Default", is there.
    ///
    /// - Throws: `storeTooNew` when a newer version wrote the database.
    package func prepare() async throws {
        try await backend.migrate(CatalogSchema.namespace, CatalogSchema.migrations)
        let daemon = Principal(name: "daemon", role: .admin, door: "daemon")
        if try await read({ try $0.hasOldDeletions() }) {
            try await change(.untracked(by: daemon)) { try $0.noteOldDeletions() }
        }
        let isComplete = try await read { try $0.hasDefaultExperiment() }
        guard !isComplete else { return }
        try await change(.untracked(by: daemon)) { try $0.createDefaultExperiment() }
    }

    /// Does the next batch of what a migration left to do while the catalog is in use.
    ///
    /// - Returns: how far that is; `nil` when nothing is left.
    package func backfill() async throws -> SQLBackfillProgress? {
        try await backend.backfill(CatalogSchema.namespace, CatalogSchema.migrations)
    }

    /// What migrations have left to do, over all that is kept in the catalog's database.
    package func pendingBackfills() async throws -> [SQLBackfillProgress] {
        try await backend.pendingBackfills()
    }

    /// Makes one change: one transaction with the look-up of the idempotency key, `body`, its rows
    /// in the ledger and the record of the answer.
    ///
    /// The same key with the same request again gives the remembered answer, and `body` does not
    /// run. When anything throws, nothing is kept.
    ///
    /// - Throws: `idempotencyConflict` for a key that came with another request; what `body` throws.
    package func change<R: Sendable>(
        _ change: Change<R>, _ body: @Sendable @escaping (CatalogTransaction) throws -> R
    ) async throws -> R {
        let (clock, scanPolicy) = (clock, scanPolicy)
        return try await backend.write { connection in
            let transaction = CatalogTransaction(
                connection: connection, principal: change.principal, now: clock.now(),
                scanPolicy: scanPolicy)
            guard let idempotency = change.idempotency else { return try body(transaction) }
            if let answer = try transaction.reader.answer(
                of: idempotency.key, by: change.principal, request: idempotency.request,
                now: transaction.now)
            {
                return try change.decode(answer)
            }
            let result = try body(transaction)
            try transaction.remember(
                try change.encode(result), of: idempotency.key, request: idempotency.request)
            return result
        }
    }

    /// The answer that was given to a change before, or `nil`: for callers that have work to do
    /// before their change. `change` looks again.
    ///
    /// - Throws: `idempotencyConflict` for a key that came with another request.
    package func remembered<R: Sendable>(_ change: Change<R>) async throws -> R? {
        guard let idempotency = change.idempotency else { return nil }
        let clock = clock
        return try await backend.read { connection in
            let reader = CatalogReader(connection: connection)
            return try reader.answer(
                of: idempotency.key, by: change.principal, request: idempotency.request,
                now: clock.now()
            ).map(change.decode)
        }
    }

    /// Runs reads on one consistent state.
    package func read<R: Sendable>(
        _ body: @Sendable @escaping (CatalogReader) throws -> R
    ) async throws -> R {
        try await backend.read { [scanPolicy] connection in
            try body(CatalogReader(connection: connection, scanPolicy: scanPolicy))
        }
    }

    /// Runs reads on one consistent state that must not keep the database busy for long.
    ///
    /// - Throws: `limitExceeded` when they were stopped.
    package func read<R: Sendable>(
        within budget: Duration, _ body: @Sendable @escaping (CatalogReader) throws -> R
    ) async throws -> R {
        try await backend.read(within: budget) { [scanPolicy] connection in
            try body(CatalogReader(connection: connection, scanPolicy: scanPolicy))
        }
    }

    /// Notes last values of metrics for searches, in one transaction. Repeating it changes nothing.
    package func indexMetrics(_ found: [OwnedMetrics]) async throws {
        let daemon = Principal(name: "daemon", role: .admin, door: "daemon")
        try await change(.untracked(by: daemon)) { transaction in
            for metrics in found { try transaction.index(metrics) }
        }
    }

    /// Forgets idempotency keys that are older than `Limits.idempotencyWindow`.
    package func expireIdempotency() async throws {
        let clock = clock
        let forgotten = try await backend.write { connection in
            let principal = Principal(name: "daemon", role: .admin, door: "daemon")
            return try CatalogTransaction(
                connection: connection, principal: principal, now: clock.now()
            )
            .forgetExpiredAnswers()
        }
        expiredKeys.increment(by: forgotten)
    }
}

/// Who makes a change, and how its answer is remembered.
package struct Change<R: Sendable>: Sendable {
    /// Who makes it; keys are told apart by the principal's name.
    package var principal: Principal
    /// The key and the digest of the request; `nil` for changes that the daemon makes by itself.
    package var idempotency: (key: IdempotencyKey, request: SHA256Digest)?
    /// Writes the answer down.
    package var encode: @Sendable (R) throws -> [UInt8]
    /// Reads an answer that `encode` wrote.
    package var decode: @Sendable ([UInt8]) throws -> R

    package init(
        principal: Principal, idempotency: (key: IdempotencyKey, request: SHA256Digest)?,
        encode: @Sendable @escaping (R) throws -> [UInt8],
        decode: @Sendable @escaping ([UInt8]) throws -> R
    ) {
        self.principal = principal
        self.idempotency = idempotency
        self.encode = encode
        self.decode = decode
    }

    /// A change without an idempotency key, whose answer is not remembered.
    package static func untracked(by principal: Principal) -> Change<R> {
        Change(
            principal: principal, idempotency: nil, encode: { _ in [] },
            decode: { _ in
                throw LinajeError(.internalError, "a change without a key has no kept answer")
            })
    }
}
