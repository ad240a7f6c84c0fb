package import LinajeDomain
package import LinajePluginKit

/// Looks at every chunk of every run's log, and puts right what can be: for a database that nobody
/// uses meanwhile.
///
/// A chunk that cannot be read is moved to `run_log_quarantine`: its bytes are then missing in the
/// log. Counts that do not fit the chunks are made anew from them.
package struct RunLogInspection: Sendable {
    /// What was found.
    package struct Report: Sendable, Hashable {
        /// Chunks read.
        package var chunks = 0
        /// What was lost, in the order it was found.
        package var losses: [Loss] = []
        /// Logs whose counts did not fit their chunks.
        package var corrected = 0
        /// Losses of earlier inspections that are on record.
        package var known = 0
    }

    /// A part of a run's log that is lost.
    package struct Loss: Sendable, Hashable {
        package var run: RunID
        /// What it is: "bytes 0 to 65535 of its log do not match their check".
        package var finding: String
    }

    private struct Row {
        var id: Int64
        var run: RunID
        var first: Int64
        var bytes: Int64
        var lines: Int64
        var flaw: String?
    }

    /// What the chunks of a run come to.
    private struct Sum {
        var end: Int64 = 0
        var bytes: Int64 = 0
        var lines: Int64 = 0
    }

    private static let chunksPerRead = 64

    private let backend: any SQLBackend

    package init(backend: any SQLBackend) { self.backend = backend }

    package func run() async throws -> Report {
        var report = Report()
        report.known = try await backend.read { connection in
            let count = try connection.first("SELECT COUNT(*) FROM run_log_quarantine") {
                try $0.int(0)
            }
            return Int(count ?? 0)
        }
        var sums: [RunID: Sum] = [:]
        var last: Int64 = 0
        while true {
            let rows = try await read(after: last)
            guard let final = rows.last else { break }
            last = final.id
            report.chunks += rows.count
            for row in rows {
                guard let flaw = row.flaw else {
                    var sum = sums[row.run] ?? Sum()
                    sum.end = max(sum.end, row.first &+ row.bytes)
                    sum.bytes += row.bytes
                    sum.lines += row.lines
                    sums[row.run] = sum
                    continue
                }
                try await quarantine(row, flaw)
                report.losses.append(
                    Loss(
                        run: row.run,
                        finding: "a chunk at byte \(row.first) of its log \(flaw)"))
            }
        }
        try await correct(sums, &report)
        return report
    }

    private func read(after last: Int64) async throws -> [Row] {
        try await backend.read { connection in
            try connection.all(
                """
                SELECT id, run, first_byte, bytes, lines, data FROM run_log_chunks
                WHERE id > ? ORDER BY id LIMIT ?
                """, [.integer(last), .integer(Int64(Self.chunksPerRead))]
            ) { row in
                var found = Row(
                    id: try row.int(0), run: try RunID(row.blob(1)), first: try row.int(2),
                    bytes: try row.int(3), lines: try row.int(4))
                do {
                    let chunk = try LogChunk(decoding: try row.blob(5))
                    if chunk.byteCount != Int(found.bytes) || found.first < 0 {
                        found.flaw = "does not hold what its row says"
                    }
                    found.lines = Int64(chunk.lineCount)
                } catch let flaw as LogChunk.Flaw {
                    found.flaw = flaw.text
                }
                return found
            }
        }
    }

    private func quarantine(_ row: Row, _ flaw: String) async throws {
        try await backend.write { connection in
            try connection.execute(
                """
                INSERT INTO run_log_quarantine (chunk, run, first_byte, bytes, data, finding)
                SELECT id, run, first_byte, bytes, data, ? FROM run_log_chunks WHERE id = ?
                """, [.text(flaw), .integer(row.id)])
            try connection.execute(
                "DELETE FROM run_log_chunks WHERE id = ?", [.integer(row.id)])
        }
    }

    /// Line numbers before a loss stay as they were told; the counts are those of what is there.
    private func correct(_ sums: [RunID: Sum], _ report: inout Report) async throws {
        let logs = try await backend.read { connection in
            try connection.all("SELECT run, extent, bytes, lines FROM run_logs") { row in
                (
                    run: try RunID(row.blob(0)),
                    sum: Sum(
                        end: try row.int(1), bytes: try row.int(2), lines: try row.int(3))
                )
            }
        }
        var unknown = sums
        for log in logs {
            let sum = unknown.removeValue(forKey: log.run) ?? Sum()
            // An extent past the chunks counts what is missing at its end.
            let end = max(sum.end, log.sum.end)
            let lines = max(sum.lines, log.sum.lines)
            guard end != log.sum.end || sum.bytes != log.sum.bytes || lines != log.sum.lines else {
                continue
            }
            try await set(log.run, Sum(end: end, bytes: sum.bytes, lines: lines))
            report.corrected += 1
        }
        for (run, sum) in unknown {
            try await set(run, sum)
            report.corrected += 1
        }
    }

    private func set(_ run: RunID, _ sum: Sum) async throws {
        try await backend.write { connection in
            _ = try connection.execute(
                """
                INSERT INTO run_logs (run, extent, bytes, lines) VALUES (?, ?, ?, ?)
                ON CONFLICT (run) DO UPDATE SET extent = excluded.extent, bytes = excluded.bytes,
                    lines = excluded.lines
                """,
                [
                    .blob(run.array), .integer(sum.end), .integer(sum.bytes), .integer(sum.lines),
                ])
        }
    }
}
