import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje run delete`
struct RunDeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete runs; they can be restored.",
        discussion: """
            With --permanent they are deleted for good, with their metrics, logs, params and inputs, \
            whether they were deleted before or not: this cannot be undone. A run of which a model \
            version or logged model came stays. Needs role admin. "linaje maintain purge" does \
            it for all runs that were deleted long ago.

            EXAMPLES
              linaje run delete RUN
              linaje run delete --permanent RUN RUN
            """)

    @OptionGroup var options: GlobalOptions
    @Flag(help: "Delete for good, with all points and logs.")
    var permanent = false
    @Argument(help: "Their ids.")
    var runs: [String]

    func run() async throws {
        let client = try await options.connect()
        var ids: [RunID] = []
        for run in runs { ids.append(try await Arguments.run(run, client)) }
        guard permanent else {
            for id in ids {
                let run = try await client.updateRun(id, lifecycle: .deleted)
                Output.line(
                    options.json ? run.json.text : "\(run.id) \(run.lifecycle.rawValue)")
            }
            return
        }
        for start in stride(from: 0, to: ids.count, by: Limits.purgedRuns) {
            let part = Array(ids[start..<min(ids.count, start + Limits.purgedRuns)])
            try await PurgeView(options, isDryRun: false).show(
                try await client.purge(RunPurge(.runs(part, alsoActive: true))))
        }
    }
}
