import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje status`
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how the daemon is.",
        discussion: """
            --metrics prints everything that the daemon counts about itself, in the Prometheus \
            text format; docs/telemetry.md lists it.

            EXAMPLES
              linaje status
              linaje status --json
              linaje status --metrics
            """)

    @OptionGroup var options: GlobalOptions
    @Flag(help: "Print the daemon's own metrics in the Prometheus text format.")
    var metrics = false

    func validate() throws {
        guard !metrics || !options.json else {
            throw ValidationError("--metrics has a format of its own; leave --json out")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        guard !metrics else {
            return Output.bytes(Array(try await client.daemonMetrics().utf8))
        }
        let status = try await client.status()
        guard options.json else {
            show(status, client.daemon)
            return
        }
        Output.line(status.json(client.daemon).text)
    }

    private func text(of record: UpkeepRecord) -> String {
        guard let end = record.endedAt else {
            return "\(ByteCount(record.bytes)) of \(ByteCount(record.totalBytes)) read since "
                + "\(Rendering.time(record.begunAt)), \(Rendering.grouped(record.findings)) findings"
        }
        return "\(Rendering.time(end)): \(printable(record.message))"
    }

    private func show(_ status: DaemonStatus, _ daemon: DaemonGreeting) {
        let style = options.style
        let now = SystemClock().now().microseconds
        let up = Duration.microseconds(max(0, now - status.startedAt.microseconds))
        var fields = TextFields()
        fields.add("daemon", "\(daemon.agent), process \(status.pid), up \(Rendering.duration(up))")
        fields.add("socket", daemon.socket)
        fields.add("you", "\(daemon.principal), \(daemon.role)")
        fields.add(
            "state", "\(status.stateDirectory), \(status.free) of \(status.total) free")
        fields.add(
            "memory",
            "\(status.resident), \(Rendering.grouped(status.openFiles)) of "
                + "\(Rendering.grouped(status.openFilesLimit)) files open")
        fields.add(
            "connections",
            "\(status.connections), \(Rendering.grouped(status.refusedConnections)) refused, "
                + "\(Rendering.grouped(status.cutConnections)) cut")
        fields.add(
            "calls",
            "\(Rendering.grouped(status.calls)), \(Rendering.grouped(status.failedCalls)) failed")
        fields.add(
            "metrics",
            "\(Rendering.grouped(status.points)) points in \(Rendering.grouped(status.commits)) "
                + "commits, \(status.queued) of \(status.queueLimit) waiting")
        fields.add(
            "artifacts",
            "\(Rendering.grouped(status.chunks)) chunks, \(status.content) stored in "
                + "\(status.stored)")
        fields.add(
            "runs",
            "\(Rendering.grouped(status.watchedRuns)) watched, "
                + "\(Rendering.grouped(status.stalledRuns)) stalled")
        for plugin in status.plugins {
            let failure = plugin.failure.map { ": \($0)" } ?? ""
            fields.add("plugin", "\(plugin.title), \(plugin.kind)\(failure)")
        }
        for feature in status.kernelFeatures where !feature.isAvailable {
            fields.add("kernel", "no \(feature.name): \(feature.meaning)")
        }
        for migration in status.migrations {
            fields.add(
                "migrating",
                "\(migration.namespace) \"\(migration.name)\": \(migration.percent) %")
        }
        for record in status.upkeep {
            fields.add(record.task, text(of: record))
        }
        fields.show(style)
        if let failure = status.failure {
            Output.line(style.bad("failed") + ": " + printable(failure))
        }
    }
}
