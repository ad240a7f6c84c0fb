/// Where plugins are looked for, each in a folder of its own.
package enum PluginDirectories {
    /// Those of the system, and before them that of the user.
    package static func usual(_ environment: [String: String]) -> [String] {
        [user(environment)].compactMap { $0 } + [
            "/usr/local/lib/linaje/plugins", "/usr/lib/linaje/plugins",
        ]
    }

    /// `$XDG_DATA_HOME/linaje/plugins`; `nil` for a user without a home.
    package static func user(_ environment: [String: String]) -> String? {
        if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") {
            return data + "/linaje/plugins"
        }
        guard let home = environment["HOME"], home.hasPrefix("/"), home != "/" else { return nil }
        return home + "/.local/share/linaje/plugins"
    }
}
