import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje plugin list`
struct PluginListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the plugins of the daemon.",
        discussion: """
            The plugin directories are looked at anew: what is there now and not disabled is used \
            from now on.

            EXAMPLES
              linaje plugin list
              linaje plugin list --json
            """, aliases: ["ls"])

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let plugins = try await options.connect().plugins()
        guard !options.json else {
            return Output.line(JSONValue.array(plugins.map(\.json)).text)
        }
        var table = TextTable([
            ("name", .left), ("kind", .left), ("version", .left), ("state", .left),
            ("from", .left),
        ])
        for plugin in plugins {
            table.add([
                printable(plugin.name), plugin.kind, printable(plugin.version), plugin.state,
                plugin.folder.isEmpty ? plugin.summary : printable(plugin.folder),
            ])
        }
        table.show(options.style, empty: "no plugins")
        for plugin in plugins where !plugin.problem.isEmpty {
            Output.line(printable(plugin.problem))
        }
    }
}
