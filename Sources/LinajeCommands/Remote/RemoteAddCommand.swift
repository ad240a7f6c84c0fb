import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje remote add`
struct RemoteAddCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Make a remote known to the daemon.",
        discussion: """
            The address is s3://BUCKET/PREFIX/ with options after "?", joined by "&": region, \
            endpoint (a server that is not AWS), addressing (automatic, path, virtual-host), \
            profile, conditional_writes and checksums (false for servers that do not know them). \
            Needs role admin. A folder is a remote too, when it stands in the daemon's \
            configuration.

            EXAMPLES
              linaje remote add backup s3://models-backup/team/?region=eu-central-1
              linaje remote add lab 's3://models/?endpoint=http://minio.lab:9000&profile=lab'
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "What to call it.")
    var name: String
    @Argument(help: "Where it is.")
    var address: String

    func run() async throws {
        let client = try await options.connect()
        try await client.addRemote(name, address: address)
        if options.json {
            Output.line(Remote(name: name, address: address, isConfigured: false).json.text)
        } else {
            Output.line("remote \(printable(name)) is \(printable(address))")
        }
    }
}

extension Remote {
    var json: JSONValue {
        .object([
            ("name", .string(name)), ("address", .string(address)),
            ("configured", .bool(isConfigured)),
        ])
    }
}
