import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje plugin enable`
struct PluginEnableCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable", abstract: "Use a plugin again that was disabled.",
        discussion: """
            Needs role admin; the ledger records it.

            EXAMPLES
              linaje plugin enable demo
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Its name.")
    var name: String

    func run() async throws {
        let plugin = try await options.connect().setPlugin(name, enabled: true)
        Output.line(options.json ? plugin.json.text : plugin.outcome)
    }
}

/// `linaje plugin disable`
struct PluginDisableCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable", abstract: "Use a plugin no more.",
        discussion: """
            Its processes are ended. What it has said of models stays with them. Needs role admin; the \
            ledger records it.

            EXAMPLES
              linaje plugin disable demo
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Its name.")
    var name: String

    func run() async throws {
        let plugin = try await options.connect().setPlugin(name, enabled: false)
        Output.line(options.json ? plugin.json.text : plugin.outcome)
    }
}
