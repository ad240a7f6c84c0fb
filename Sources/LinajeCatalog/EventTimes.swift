import LinajePluginKit

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// When each event of the ledger happened, beside it for look-ups by time.
///
/// The moment stands in the canonical text, which no query can search. Events from before this
/// table came are entered by a backfill; until it is finished, a search by time reads the texts.
enum EventTimes {
    static let migration = SQLMigration(
        "9 event times",
        [
            """
            CREATE TABLE event_times (
                sequence BIGINT NOT NULL PRIMARY KEY,
                at_us BIGINT NOT NULL)
            """,
            "CREATE INDEX event_times_by_time ON event_times (at_us, sequence)",
        ],
        backfill: SQLBackfill(total: "SELECT COUNT(*) FROM events") { connection, place in
            try enter(connection, after: Int64(place) ?? 0)
        })

    /// Events that one batch enters: a few milliseconds.
    static let batchEvents = 500

    /// Whether every event is in the table.
    static func areComplete(_ connection: any SQLConnection) throws -> Bool {
        try connection.isBackfilled(CatalogSchema.namespace, migration.name)
    }

    /// The moment of an event; `nil` for a text that is no event's, which the ledger's check names.
    static func moment(_ canonical: [UInt8]) -> Int64? {
        (try? JSONDecoder().decode(Facts.self, from: Data(canonical)))?.at
    }

    private static func enter(
        _ connection: any SQLConnection, after sequence: Int64
    ) throws -> SQLBackfill.Batch {
        let events = try connection.all(
            "SELECT sequence, canonical FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?",
            [.integer(sequence), .integer(Int64(batchEvents))]
        ) { (sequence: try $0.int(0), canonical: try $0.blob(1)) }
        for event in events {
            guard let moment = moment(event.canonical) else { continue }
            try connection.execute(
                """
                INSERT INTO event_times (sequence, at_us) VALUES (?, ?)
                ON CONFLICT (sequence) DO NOTHING
                """, [.integer(event.sequence), .integer(moment)])
        }
        return SQLBackfill.Batch(
            rows: events.count,
            next: events.count < batchEvents ? nil : events.last.map { String($0.sequence) })
    }

    private struct Facts: Decodable {
        var at: Int64
    }
}
