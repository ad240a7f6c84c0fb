package import LinajeDomain
package import LinajePluginKit

/// Looks at everything that the metric engine keeps, and puts right what can be: for a database that
/// nobody uses meanwhile.
///
/// Segments and chunks that cannot be read are moved to `metric_quarantine`, and batches that are gone
/// are noted there, so that a later inspection knows them. Summaries are made anew from chunks, and
/// completed from segments by whoever reads them next.
package struct MetricInspection: Sendable {
    /// What was found.
    package struct Report: Sendable, Hashable {
        /// Segments read.
        package var segments = 0
        /// Chunks read.
        package var chunks = 0
        /// What was lost, in the order it was found.
        package var losses: [Loss] = []
        /// Writers whose summaries or batch numbers did not fit their segments.
        package var corrected = 0
        /// Losses of earlier inspections that are on record.
        package var known = 0
    }

    /// Points of a run that are lost.
    package struct Loss: Sendable, Hashable {
        package var run: RunID
        /// What it is: "segment 7 does not match its check".
        package var finding: String
    }

    private struct Segment {
        var id: Int64
        var key: IngestQueue.Key
        var batches: ClosedRange<Int64>
        var points: Int64
        var flaw: String?
    }

    /// Segments that are read at a time.
    static let segmentsPerRead = 64

    let backend: any SQLBackend

    package init(backend: any SQLBackend) { self.backend = backend }

    /// - Parameter summaries: whether all summaries are to be made anew.
    package func run(rebuildingSummaries summaries: Bool) async throws -> Report {
        var report = Report()
        report.known = try await count("COUNT(*)", in: "metric_quarantine")
        let damagedRuns = try await inspectChunks(&report)
        var batches: [IngestQueue.Key: [ClosedRange<Int64>]] = [:]
        var last: Int64 = 0
        while true {
            let segments = try await read(after: last)
            guard let final = segments.last else { break }
            last = final.id
            report.segments += segments.count
            for segment in segments {
                guard let flaw = segment.flaw else {
                    batches[segment.key, default: []].append(segment.batches)
                    continue
                }
                try await quarantine(segment, flaw)
                report.losses.append(
                    Loss(run: segment.key.run, finding: "segment \(segment.id) \(flaw)"))
            }
        }
        for (key, ranges) in try await quarantined() { batches[key, default: []] += ranges }
        let compacted = try await count("MAX(last_segment)", in: "metric_chunks")
        try await correct(batches, lastSegment: max(last, Int64(compacted)), &report)
        try await rebuildSummaries(of: summaries ? nil : damagedRuns)
        return report
    }

    // MARK: Segments

    private func read(after last: Int64) async throws -> [Segment] {
        try await backend.read { connection in
            try connection.all(
                """
                SELECT id, run, writer, first_batch, last_batch, points, data
                FROM metric_segments WHERE id > ? ORDER BY id LIMIT ?
                """, [.integer(last), .integer(Int64(Self.segmentsPerRead))]
            ) { row in
                let key = try IngestQueue.Key(row, from: 1)
                let (first, last) = (try row.int(3), try row.int(4))
                var segment = Segment(
                    id: try row.int(0), key: key, batches: first...max(first, last),
                    points: try row.int(5))
                do {
                    let decoded = try row.blob(6).withUnsafeBytes {
                        try MetricSegment.decode($0)
                    }
                    if decoded.count != Int(segment.points) || first > last {
                        segment.flaw = "does not hold what its row says"
                    }
                } catch let flaw as StoredFlaw {
                    segment.flaw = flaw.text
                }
                return segment
            }
        }
    }

    private func quarantine(_ segment: Segment, _ flaw: String) async throws {
        try await backend.write { connection in
            try connection.execute(
                """
                INSERT INTO metric_quarantine (segment, run, writer, first_batch, last_batch,
                    points, data, finding)
                SELECT id, run, writer, first_batch, last_batch, points, data, ?
                FROM metric_segments WHERE id = ?
                """, [.text(flaw), .integer(segment.id)])
            try connection.execute(
                "DELETE FROM metric_segments WHERE id = ?", [.integer(segment.id)])
            try SummaryStore.rebuild(connection, run: segment.key.run)
        }
    }

    // MARK: Writers

    /// Compares each writer's batches with what it was told is durable.
    private func correct(
        _ batches: [IngestQueue.Key: [ClosedRange<Int64>]], lastSegment: Int64,
        _ report: inout Report
    ) async throws {
        let writers = try await backend.read { connection in
            try connection.all(
                "SELECT run, writer, durable_through, folded_through, compacted_through "
                    + "FROM metric_writers"
            ) { row in
                (
                    key: try IngestQueue.Key(row, from: 0), durable: try row.int(2),
                    folded: try row.int(3), compacted: try row.int(4)
                )
            }
        }
        var unknown = batches
        for writer in writers {
            var ranges = unknown.removeValue(forKey: writer.key) ?? []
            if writer.compacted > 0 { ranges.append(1...writer.compacted) }
            let highest = ranges.map(\.upperBound).max() ?? 0
            if writer.durable < highest || writer.folded > lastSegment {
                try await set(writer.key, durable: max(writer.durable, highest))
                report.corrected += 1
            }
            for gap in Self.gaps(in: ranges, through: max(writer.durable, highest)) {
                try await note(gap, of: writer.key, &report)
            }
        }
        for (key, ranges) in unknown {
            let highest = ranges.map(\.upperBound).max() ?? 0
            try await set(key, durable: highest)
            report.corrected += 1
            for gap in Self.gaps(in: ranges, through: highest) {
                try await note(gap, of: key, &report)
            }
        }
    }

    /// The numbers from 1 to `last` that no range holds.
    static func gaps(in ranges: [ClosedRange<Int64>], through last: Int64) -> [ClosedRange<Int64>] {
        var out: [ClosedRange<Int64>] = []
        var next: Int64 = 1
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > next { out.append(next...range.lowerBound - 1) }
            next = max(next, range.upperBound == .max ? .max : range.upperBound + 1)
        }
        if next <= last { out.append(next...last) }
        return out
    }

    private func note(
        _ gap: ClosedRange<Int64>, of key: IngestQueue.Key, _ report: inout Report
    ) async throws {
        try await backend.write { connection in
            _ = try connection.execute(
                """
                INSERT INTO metric_quarantine (segment, run, writer, first_batch, last_batch,
                    points, data, finding)
                VALUES (0, ?, ?, ?, ?, 0, ?, 'is gone')
                """,
                key.columns + [
                    .integer(gap.lowerBound), .integer(gap.upperBound), .blob([]),
                ])
        }
        report.losses.append(
            Loss(
                run: key.run,
                finding: "batches \(gap.lowerBound) to \(gap.upperBound) of a writer are gone"))
    }

    private func set(_ key: IngestQueue.Key, durable: Int64) async throws {
        try await backend.write { connection in
            try connection.execute(
                """
                INSERT INTO metric_writers (run, writer, durable_through) VALUES (?, ?, ?)
                ON CONFLICT (run, writer) DO UPDATE SET durable_through = excluded.durable_through
                """, key.columns + [.integer(durable)])
            try SummaryStore.rebuild(connection, run: key.run)
        }
    }

    private func quarantined() async throws -> [IngestQueue.Key: [ClosedRange<Int64>]] {
        try await backend.read { connection in
            var out: [IngestQueue.Key: [ClosedRange<Int64>]] = [:]
            try connection.query(
                "SELECT run, writer, first_batch, last_batch FROM metric_quarantine", []
            ) { row in
                let (first, last) = (try row.int(2), try row.int(3))
                out[try IngestQueue.Key(row, from: 0), default: []].append(first...max(first, last))
            }
            return out
        }
    }

    private func count(_ what: String, in table: String) async throws -> Int {
        try await backend.read { connection in
            Int(
                try connection.first("SELECT COALESCE(\(what), 0) FROM \(table)") { try $0.int(0) }
                    ?? 0)
        }
    }
}

extension IngestQueue.Key {
    /// Run and writer from two columns.
    fileprivate init(_ row: any SQLRow, from index: Int) throws {
        self.init(run: try RunID(row.blob(index)), writer: try WriterID(row.blob(index + 1)))
    }

    fileprivate var columns: [SQLValue] { [.blob(run.array), .blob(writer.array)] }
}
