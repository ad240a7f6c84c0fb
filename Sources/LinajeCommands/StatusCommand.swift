import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje status`
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how the daemon is, or what a remote lacks.",
        discussion: """
            --remote asks the daemon and a remote which packs they have now, compares them by \
            content, and exits with 1 when the remote lacks any; with --read-data every byte of the \
            remote is read and checked.

            --metrics prints everything that the daemon counts about itself, in the Prometheus \
            text format; docs/telemetry.md lists it.

            EXAMPLES
              linaje status
              linaje status --json
              linaje status --metrics
              linaje status --remote backup
            """)

    @OptionGroup var options: GlobalOptions
    @Flag(help: "Print the daemon's own metrics in the Prometheus text format.")
    var metrics = false

    @Option(help: "Compare with this remote instead (linaje remote list).")
    var remote: String?
    @Flag(help: "With --remote: read and check every byte that it has.")
    var readData = false

    func validate() throws {
        guard remote != nil || !readData else {
            throw ValidationError("--read-data belongs to --remote NAME")
        }
        guard remote == nil || !metrics else {
            throw ValidationError("--remote and --metrics do not go together")
        }
        guard !metrics || !options.json else {
            throw ValidationError("--metrics has a format of its own; leave --json out")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        if let remote {
            let view = RemoteView(options: options, action: .status, remote: remote)
            return try await view.show(
                try await client.exchange(.status, with: remote, readingData: readData))
        }
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
            let rest =
                record.message.isEmpty
                ? "\(Rendering.grouped(record.findings)) findings" : printable(record.message)
            return "\(ByteCount(record.bytes)) of \(ByteCount(record.totalBytes)) read since "
                + "\(Rendering.time(record.begunAt)), \(rest)"
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
