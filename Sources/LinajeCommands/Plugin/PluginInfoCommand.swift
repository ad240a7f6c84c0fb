import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje plugin info`
struct PluginInfoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Show one plugin: what it is, and how it does.",
        discussion: """
            The plugin is started, so that it says which flavors it has.

            EXAMPLES
              linaje plugin info demo
              linaje plugin info demo --json
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Its name.")
    var name: String

    func run() async throws {
        let plugins = try await options.connect().plugins(named: name)
        guard !options.json else {
            return Output.line(JSONValue.array(plugins.map(\.json)).text)
        }
        for (number, plugin) in plugins.enumerated() {
            if number > 0 { Output.line("") }
            for line in plugin.lines { Output.line(line) }
        }
    }
}
