import ArgumentParser

/// `linaje remote`
struct RemoteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remote", abstract: "Say where artifacts are pushed to and pulled from.",
        discussion: """
            A remote is a bucket of S3, or of a server that speaks its protocol. Its credentials are \
            found where the daemon runs (environment, ~/.aws, the machine's role) and are never \
            part of its address.

            EXAMPLES
              linaje remote add backup s3://models-backup/team/?region=eu-central-1
              linaje push --remote backup
              linaje status --remote backup
            """,
        subcommands: [
            RemoteAddCommand.self, RemoteListCommand.self, RemoteRemoveCommand.self,
        ])
}
