import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje status`
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how the daemon is.",
        discussion: """
            EXAMPLES
              linaje status
              linaje status --json
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let client = try await options.connect()
        let status = try await client.status()
        guard options.json else {
            show(status, client.daemon)
            return
        }
        let plugins = status.plugins.map { plugin in
            JSONValue.object([
                ("name", .string(plugin.name)), ("kind", .string(plugin.kind)),
                ("version", .string(plugin.version)), ("failure", .optional(plugin.failure)),
            ])
        }
        let migrations = status.migrations.map { migration in
            JSONValue.object([
                ("namespace", .string(migration.namespace)), ("name", .string(migration.name)),
                ("done", .uint(migration.done)), ("total", .uint(migration.total)),
                ("percent", .count(migration.percent)),
            ])
        }
        Output.line(
            JSONValue.object(
                [
                    ("socket", .string(client.daemon.socket)),
                    ("principal", .string(client.daemon.principal)),
                    ("role", .string(client.daemon.role)), ("version", .string(status.version)),
                    ("state_directory", .string(status.stateDirectory)),
                    ("pid", .int(Int64(status.pid))),
                ] + JSONValue.time("started_at", status.startedAt) + [
                    ("connections", .count(status.connections)), ("points", .uint(status.points)),
                    ("commits", .uint(status.commits)),
                    ("queued_bytes", .uint(status.queued.bytes)),
                    ("resident_bytes", .uint(status.resident.bytes)),
                    ("free_bytes", .uint(status.free.bytes)), ("chunks", .uint(status.chunks)),
                    ("stored_bytes", .uint(status.stored.bytes)),
                    ("content_bytes", .uint(status.content.bytes)), ("plugins", .array(plugins)),
                    ("migrations", .array(migrations)),
                    ("failure", .optional(status.failure)),
                ]
            ).text)
    }

    private func show(_ status: DaemonStatus, _ daemon: DaemonGreeting) {
        let style = options.style
        let now = SystemClock().now().microseconds
        let up = Duration.microseconds(max(0, now - status.startedAt.microseconds))
        var fields = TextFields()
        fields.add("daemon", "\(daemon.agent), process \(status.pid), up \(Rendering.duration(up))")
        fields.add("socket", daemon.socket)
        fields.add("you", "\(daemon.principal), \(daemon.role)")
        fields.add("state", "\(status.stateDirectory), \(status.free) free")
        fields.add("memory", status.resident.description)
        fields.add("connections", String(status.connections))
        fields.add(
            "metrics",
            "\(Rendering.grouped(status.points)) points in \(Rendering.grouped(status.commits)) "
                + "commits, \(status.queued) waiting")
        fields.add(
            "artifacts",
            "\(Rendering.grouped(status.chunks)) chunks, \(status.content) stored in "
                + "\(status.stored)")
        for plugin in status.plugins {
            let failure = plugin.failure.map { ": \($0)" } ?? ""
            fields.add("plugin", "\(plugin.name) \(plugin.version), \(plugin.kind)\(failure)")
        }
        for migration in status.migrations {
            fields.add(
                "migrating",
                "\(migration.namespace) \"\(migration.name)\": \(migration.percent) %")
        }
        fields.show(style)
        if let failure = status.failure {
            Output.line(style.bad("failed") + ": " + printable(failure))
        }
    }
}
