package import LinajeDomain
import LinajePluginKit

/// Plugins that an admin has disabled. All others are enabled: who may put one into a plugin
/// directory may let it in.
///
/// ```
/// disabled_plugins  (kind name)*  principal  at_us
/// ```
enum PluginTable {
    /// Most plugins that are disabled.
    static let maximum: Int64 = 1_000

    static let migration = SQLMigration(
        "17 disabled plugins",
        [
            """
            CREATE TABLE disabled_plugins (
                kind TEXT NOT NULL,
                name TEXT NOT NULL,
                principal TEXT NOT NULL,
                at_us BIGINT NOT NULL,
                PRIMARY KEY (kind, name))
            """
        ])
}

extension CatalogReader {
    /// The plugins that are disabled.
    package func disabledPlugins() throws -> [DisabledPlugin] {
        try connection.all(
            "SELECT kind, name, principal, at_us FROM disabled_plugins ORDER BY kind, name", []
        ) {
            DisabledPlugin(
                kind: try $0.text(0), name: try $0.text(1), principal: try $0.text(2),
                at: try $0.time(3))
        }
    }
}

extension CatalogTransaction {
    /// Enables or disables a plugin, with an event that is about no model; what it is already changes
    /// nothing.
    ///
    /// - Throws: `limitExceeded` for very many.
    package func setPlugin(_ name: String, kind: String, enabled: Bool) throws {
        let disabled = try reader.disabledPlugins()
        let isDisabled = disabled.contains { $0.kind == kind && $0.name == name }
        guard isDisabled == enabled else { return }
        if enabled {
            try connection.execute(
                "DELETE FROM disabled_plugins WHERE kind = ? AND name = ?",
                [.text(kind), .text(name)])
        } else {
            guard disabled.count < PluginTable.maximum else {
                throw LinajeError(
                    .limitExceeded,
                    "\(disabled.count) plugins are disabled, as many as may be; remove their folders"
                )
            }
            try connection.execute(
                "INSERT INTO disabled_plugins (kind, name, principal, at_us) VALUES (?, ?, ?, ?)",
                [.text(kind), .text(name), .text(principal.name), .time(now)])
        }
        try record(
            enabled ? .pluginEnable : .pluginDisable, model: "",
            facts: ["kind": .string(kind), "plugin": .string(name)])
    }
}
