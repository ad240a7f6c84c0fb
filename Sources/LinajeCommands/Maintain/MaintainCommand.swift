import ArgumentParser

/// `linaje maintain`
struct MaintainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "maintain",
        abstract: "Look after the daemon's databases while it goes on serving.",
        discussion: """
            Without a subcommand it does a task, or all of them: compact packs the points of runs \
            into sorted chunks, vacuum gives pages that nothing uses back to the file system, \
            analyze renews what the query planner knows of the tables, checkpoint moves the \
            write-ahead logs into the database files. "linaje maintain databases --help" says more.

            EXAMPLES
              linaje maintain
              linaje maintain compact
              linaje maintain compact --pause 3600
              linaje maintain vacuum
              linaje maintain checkpoint --json
              linaje maintain purge --deleted-for 30d --dry-run
            """,
        subcommands: [MaintainDatabasesCommand.self, MaintainPurgeCommand.self],
        defaultSubcommand: MaintainDatabasesCommand.self)
}
