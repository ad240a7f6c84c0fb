import LinajeDomain
import LinajePluginKit

extension MetricInspection {
    private struct Chunk {
        var id: Int64
        var run: RunID
        var flaw: String?
    }

    /// Reads all chunks and moves the damaged ones away.
    ///
    /// - Returns: the runs of those.
    func inspectChunks(_ report: inout Report) async throws -> Set<RunID> {
        var damaged: Set<RunID> = []
        var last: Int64 = 0
        while true {
            let chunks = try await chunks(after: last)
            guard let final = chunks.last else { return damaged }
            last = final.id
            report.chunks += chunks.count
            for chunk in chunks {
                guard let flaw = chunk.flaw else { continue }
                try await quarantine(chunk, flaw)
                damaged.insert(chunk.run)
                report.losses.append(Loss(run: chunk.run, finding: "chunk \(chunk.id) \(flaw)"))
            }
        }
    }

    /// Makes summaries anew.
    ///
    /// - Parameter runs: of these; `nil`: of all.
    func rebuildSummaries(of runs: Set<RunID>?) async throws {
        let all =
            if let runs { Array(runs) } else {
                try await backend.read { connection in
                    try connection.all("SELECT DISTINCT run FROM metric_writers") {
                        try RunID($0.blob(0))
                    }
                }
            }
        for run in all {
            try await backend.write { try SummaryStore.rebuild($0, run: run) }
        }
    }

    private func chunks(after last: Int64) async throws -> [Chunk] {
        try await backend.read { connection in
            let planes = PlaneReader()
            return try connection.all(
                """
                SELECT id, run, series, points, first_step, last_step, data
                FROM metric_chunks WHERE id > ? ORDER BY id LIMIT ?
                """, [.integer(last), .integer(Int64(Self.segmentsPerRead))]
            ) { row in
                var chunk = Chunk(id: try row.int(0), run: try RunID(row.blob(1)))
                do {
                    let columns = try row.blob(6).withUnsafeBytes {
                        try MetricChunk.decode($0, with: planes).columns
                    }
                    let fits =
                        try Int64(columns.count) == row.int(3)
                        && columns.steps.first == row.int(4)
                        && columns.steps.last == row.int(5)
                        && MetricSeries(encoded: row.blob(2)) != nil
                    if !fits { chunk.flaw = "does not hold what its row says" }
                } catch let flaw as StoredFlaw {
                    chunk.flaw = flaw.text
                }
                return chunk
            }
        }
    }

    private func quarantine(_ chunk: Chunk, _ flaw: String) async throws {
        try await backend.write { connection in
            // Chunks know no writer and no batches.
            try connection.execute(
                """
                INSERT INTO metric_quarantine (segment, run, writer, first_batch, last_batch,
                    points, data, finding)
                SELECT last_segment, run, ?, 0, 0, points, data, ? FROM metric_chunks WHERE id = ?
                """,
                [
                    .blob(WriterID.compacted.array), .text("chunk \(chunk.id) \(flaw)"),
                    .integer(chunk.id),
                ])
            try connection.execute(
                "DELETE FROM metric_chunks WHERE id = ?", [.integer(chunk.id)])
        }
    }
}
