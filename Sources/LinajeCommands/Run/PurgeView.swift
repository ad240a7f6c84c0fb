import LinajeClient
import LinajeDomain

/// Shows what becomes of runs that are deleted for good.
struct PurgeView {
    private let options: GlobalOptions
    private let isDryRun: Bool
    private let bar: StepBar

    init(_ options: GlobalOptions, isDryRun: Bool) {
        self.options = options
        self.isDryRun = isDryRun
        bar = StepBar(isQuiet: options.json)
    }

    /// - Returns: how many runs are gone, or would be.
    /// - Throws: the first failure, once all runs are shown.
    @discardableResult
    func show(_ reading: PurgeReading) async throws -> Int {
        var failure: LinajeError?
        var gone = 0
        for try await run in reading {
            guard run.isFinished else {
                bar.draw(text(run))
                continue
            }
            bar.clear()
            failure = failure ?? run.failure
            gone += run.failure == nil ? 1 : 0
            if options.json {
                Output.lineNow(json(run).text)
            } else if let failure = run.failure {
                Output.flush()
                Output.note("\(run.id): \(printable(failure.message))")
            } else {
                Output.lineNow(text(run))
            }
        }
        if let failure {
            throw LinajeError(failure.code, "not every run is gone: \(failure.message)")
        }
        return gone
    }

    private func text(_ run: PurgedRun) -> String {
        let what = "\(Rendering.grouped(run.points)) points, \(run.logBytes) of log"
        let state =
            !run.isFinished
            ? "deleting" : isDryRun ? "would be deleted for good" : "deleted for good"
        return "\(run.id) \(printable(run.name)) \(state): \(what)"
    }

    private func json(_ run: PurgedRun) -> JSONValue {
        .object([
            ("run_id", .string("\(run.id)")), ("name", .string(run.name)),
            ("experiment_id", .int(run.experimentID)),
            ("deleted_at", .optional(run.deletedAt.map { Rendering.time($0) })),
            ("points", .uint(run.points)), ("log_bytes", .uint(run.logBytes.bytes)),
            ("deleted", .bool(run.failure == nil && !isDryRun)),
            ("failure", .optional(run.failure?.message)),
        ])
    }
}
