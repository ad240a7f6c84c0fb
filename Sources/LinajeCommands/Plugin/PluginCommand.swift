import ArgumentParser

/// `linaje plugin`
struct PluginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugin",
        abstract: "See, make, check and install plugins.",
        discussion: """
            A plugin is a program in a folder of its own in one of the daemon's plugin directories \
            (/usr/lib/linaje/plugins, /usr/local/lib/linaje/plugins, and that of the user, \
            ~/.local/share/linaje/plugins), with a plugin.json that says what it is. A model flavor \
            runs locked up: it sees the files of the model it is asked about, its own folder and the \
            system's libraries; it has no network, writes nowhere and starts nothing.

            EXAMPLES
              linaje plugin list
              linaje plugin new flavor demo
              linaje plugin check demo/
              linaje plugin install demo/
              linaje plugin disable demo
            """,
        subcommands: [
            PluginListCommand.self, PluginInfoCommand.self, PluginEnableCommand.self,
            PluginDisableCommand.self, PluginNewCommand.self, PluginCheckCommand.self,
            PluginInstallCommand.self,
        ])
}
