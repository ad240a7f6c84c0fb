import LinajeDomain
import LinajePluginKit

extension CatalogReader {
    /// The answer that was given to this principal under this key within the window, or `nil`.
    ///
    /// - Throws: `idempotencyConflict` when the key came with another request.
    func answer(
        of key: IdempotencyKey, by principal: Principal, request: SHA256Digest, now: Timestamp
    ) throws -> [UInt8]? {
        let kept = try connection.first(
            """
            SELECT request, answer FROM catalog_idempotency
            WHERE principal = ? AND key = ? AND created_at_us > ?
            """, [.text(principal.name), .id(key), .time(expiry(now))]
        ) { (request: try $0.requiredDigest(0), answer: try $0.blob(1)) }
        guard let kept else { return nil }
        guard kept.request == request else {
            throw LinajeError(
                .idempotencyConflict,
                "idempotency key \(key) was used with another request; use a new key for a new "
                    + "request")
        }
        return kept.answer
    }
}

extension CatalogTransaction {
    /// Keeps an answer under a key; one that has expired is replaced.
    func remember(_ answer: [UInt8], of key: IdempotencyKey, request: SHA256Digest) throws {
        try connection.execute(
            """
            INSERT INTO catalog_idempotency (principal, key, request, answer, created_at_us)
            VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (principal, key) DO UPDATE SET
                request = excluded.request, answer = excluded.answer,
                created_at_us = excluded.created_at_us
            """,
            [.text(principal.name), .id(key), .digest(request), .blob(answer), .time(now)])
    }

    /// Drops the answers that are past the window, and says how many.
    func forgetExpiredAnswers() throws -> Int {
        try connection.execute(
            "DELETE FROM catalog_idempotency WHERE created_at_us <= ?", [.time(expiry(now))])
    }
}

/// Answers of that moment and before have expired.
private func expiry(_ now: Timestamp) -> Timestamp {
    let window = Limits.idempotencyWindow.wholeMicroseconds
    return Timestamp(microseconds: now.microseconds - window)
}
