import LinajeDomain
import LinajePluginKit

/// Summaries in the database: what is stored, completed from the segments after it.
enum SummaryStore {
    /// A writer's table and through which segment it was stored before it was completed.
    struct Loaded: Sendable {
        var table: SummaryTable
        var stored: Int64
        /// Segments that had to be read to complete it.
        var completedFrom: Int
    }

    /// The complete tables of a run's writers.
    ///
    /// - Parameters:
    ///   - writer: only this one; `nil` for all.
    ///   - known: tables in memory; only segments after them are read.
    static func load(
        _ connection: any SQLConnection, run: RunID, writer: WriterID? = nil,
        known: [WriterID: SummaryTable] = [:]
    ) throws -> [WriterID: Loaded] {
        var tables: [WriterID: Loaded] = [:]
        let filter = writer == nil ? "" : " AND writer = ?"
        let arguments = [SQLValue.blob(run.array)] + (writer.map { [.blob($0.array)] } ?? [])
        try connection.query(
            "SELECT writer, folded_through FROM metric_writers WHERE run = ?\(filter)", arguments
        ) { row in
            let writer = try WriterID(row.blob(0))
            let stored = try row.int(1)
            var loaded = Loaded(table: SummaryTable(), stored: stored, completedFrom: 0)
            // What is in memory lacks a segment between its commit and the moment it is taken in,
            // and compaction may have taken that segment away.
            if let table = known[writer], table.through >= stored { loaded.table = table }
            tables[writer] = loaded
        }
        for (writer, loaded) in tables where loaded.table.through < loaded.stored {
            try loadStored(connection, run: run, writer: writer, into: &tables[writer])
        }
        try complete(connection, run: run, writer: writer, &tables)
        return tables
    }

    /// Stores what changed in a table since it was stored last, unless the database has more.
    static func store(
        _ connection: any SQLConnection, _ key: IngestQueue.Key, _ table: SummaryTable
    ) throws {
        let ids: [SQLValue] = [.blob(key.run.array), .blob(key.writer.array)]
        let stored = try connection.first(
            "SELECT folded_through FROM metric_writers WHERE run = ? AND writer = ?", ids
        ) { try $0.int(0) }
        guard let stored, stored < table.through else { return }
        for (series, summary) in zip(table.series, table.summaries)
        where summary.count > 0 && summary.touched > stored {
            try connection.execute(upsert, ids + [.blob(series.encoded)] + columns(summary))
        }
        try connection.execute(
            "UPDATE metric_writers SET folded_through = ? WHERE run = ? AND writer = ?",
            [.integer(table.through)] + ids)
    }

    /// Takes segments of a writer, in order, into what is stored, as far as they are not in it.
    static func advance(
        _ connection: any SQLConnection, _ key: IngestQueue.Key,
        _ segments: [(id: Int64, segment: MetricSegment)]
    ) throws {
        let stored = try connection.first(
            "SELECT folded_through FROM metric_writers WHERE run = ? AND writer = ?",
            [.blob(key.run.array), .blob(key.writer.array)]
        ) { try $0.int(0) }
        guard let stored, let last = segments.last?.id, last > stored else { return }
        var loaded: Loaded? = Loaded(table: SummaryTable(), stored: stored, completedFrom: 0)
        try loadStored(connection, run: key.run, writer: key.writer, into: &loaded)
        guard var table = loaded?.table else { return }
        for (id, segment) in segments { table.fold(segment, id: id) }
        try store(connection, key, table)
    }

    /// Makes the summaries of a run anew from its chunks; segments complete them when they are read.
    ///
    /// Chunks do not know their writers: what they hold is filed under a writer of its own, whose id
    /// is zero.
    static func rebuild(_ connection: any SQLConnection, run: RunID) throws {
        let id = SQLValue.blob(run.array)
        try connection.execute("DELETE FROM metric_summaries WHERE run = ?", [id])
        try connection.execute(
            "UPDATE metric_writers SET folded_through = 0 WHERE run = ?", [id])
        var merged: [MetricSeries: SeriesSummary] = [:]
        for chunk in try ChunkStore.list(connection, run: run) {
            merged[chunk.series, default: SeriesSummary()].merge(chunk.summary)
        }
        guard let through = merged.values.map(\.touched).max() else { return }
        let key = [id, .blob(WriterID.compacted.array)]
        try connection.execute(
            "INSERT INTO metric_writers (run, writer, durable_through, folded_through) "
                + "VALUES (?, ?, 0, ?) ON CONFLICT (run, writer) DO UPDATE SET "
                + "folded_through = excluded.folded_through", key + [.integer(through)])
        for (series, summary) in merged {
            try connection.execute(upsert, key + [.blob(series.encoded)] + columns(summary))
        }
    }

    private static func loadStored(
        _ connection: any SQLConnection, run: RunID, writer: WriterID, into loaded: inout Loaded?
    ) throws {
        guard let stored = loaded?.stored, stored > 0 else { return }
        loaded?.table.through = stored
        try connection.query(
            "SELECT series, \(names.joined(separator: ", ")) FROM metric_summaries "
                + "WHERE run = ? AND writer = ?", [.blob(run.array), .blob(writer.array)]
        ) { row in
            guard let series = try MetricSeries(encoded: row.blob(0)) else {
                throw LinajeError(
                    .corrupt,
                    "summaries of run \(run) hold a series that cannot be read; restore "
                        + "metrics.db from a copy")
            }
            loaded?.table.insert(series, try summary(row))
        }
    }

    /// Reads the segments after what the tables have, oldest first.
    private static func complete(
        _ connection: any SQLConnection, run: RunID, writer: WriterID?,
        _ tables: inout [WriterID: Loaded]
    ) throws {
        guard let from = tables.values.map(\.table.through).min() else { return }
        var arguments: [SQLValue] = [.blob(run.array), .integer(from)]
        if let writer { arguments.append(.blob(writer.array)) }
        try connection.query(
            "SELECT id, writer, data FROM metric_segments WHERE run = ? AND id > ?"
                + (writer == nil ? "" : " AND writer = ?") + " ORDER BY id", arguments
        ) { row in
            let id = try row.int(0)
            let writer = try WriterID(row.blob(1))
            guard let through = tables[writer]?.table.through, id > through else { return }
            let segment = try MetricSegment(decoding: row.blob(2), run: run, id: id)
            tables[writer]?.table.fold(segment, id: id)
            tables[writer]?.completedFrom += 1
        }
    }

    private static let names = [
        "points", "nans", "min_bits", "max_bits", "first_step", "first_time", "first_bits",
        "first_segment", "last_step", "last_time", "last_bits", "last_segment", "touched",
    ]

    private static let upsert =
        "INSERT INTO metric_summaries (run, writer, series, \(names.joined(separator: ", "))) "
        + "VALUES (?, ?, ?\(String(repeating: ", ?", count: names.count))) "
        + "ON CONFLICT (run, writer, series) DO UPDATE SET "
        + names.map { "\($0) = excluded.\($0)" }.joined(separator: ", ")

    private static func columns(_ summary: SeriesSummary) -> [SQLValue] {
        [
            .integer(Int64(bitPattern: summary.count)),
            .integer(Int64(bitPattern: summary.nanCount)),
            summary.min.map(bits) ?? .null, summary.max.map(bits) ?? .null,
            .integer(summary.first.step), .integer(summary.first.time),
            bits(summary.first.value), .integer(summary.firstSegment),
            .integer(summary.last.step), .integer(summary.last.time),
            bits(summary.last.value), .integer(summary.lastSegment),
            .integer(summary.touched),
        ]
    }

    /// The summary of a row whose columns from 1 on are `names`.
    private static func summary(_ row: any SQLRow) throws -> SeriesSummary {
        func double(_ index: Int) throws -> Double {
            Double(bitPattern: UInt64(bitPattern: try row.int(index)))
        }
        return SeriesSummary(
            count: UInt64(bitPattern: try row.int(1)),
            nanCount: UInt64(bitPattern: try row.int(2)),
            min: row.isNull(3) ? nil : try double(3), max: row.isNull(4) ? nil : try double(4),
            first: MetricPoint(step: try row.int(5), time: try row.int(6), value: try double(7)),
            firstSegment: try row.int(8),
            last: MetricPoint(step: try row.int(9), time: try row.int(10), value: try double(11)),
            lastSegment: try row.int(12), touched: try row.int(13))
    }

    private static func bits(_ value: Double) -> SQLValue {
        .integer(Int64(bitPattern: value.bitPattern))
    }
}

extension WriterID {
    /// Under which summaries of chunks are filed, see `SummaryStore.rebuild`.
    static let compacted = WriterID(bytes: Bytes16(high: 0, low: 0))
}
