package import LinajeCatalog
package import LinajeDomain
import LinajePluginKit

/// The plugins of the daemon: which there are, and whether they are used.
package struct PluginService: Sendable {
    let catalog: CatalogStore
    let installed: InstalledPlugins
    /// Those that are a part of the daemon.
    let linked: [PluginDescriptor]

    /// All plugins; the plugin directories are looked at anew.
    ///
    /// - Parameter name: those of this name only, started so that they say which flavors they have.
    /// - Throws: `notFound` for a name that no plugin has.
    package func list(named name: String? = nil) async throws -> [PluginReport] {
        try await refresh()
        let reports = await reports()
        guard let name else { return reports }
        let found = reports.filter { $0.name == name }
        guard !found.isEmpty else { throw Self.notFound(name) }
        for report in found where report.isEnabled && report.problem.isEmpty {
            // Why it does not start is a part of what is told.
            try? await installed.start(report.name, kind: report.kind)
        }
        return await self.reports().filter { $0.name == name }
    }

    /// Uses a plugin, or not any more, from now on.
    ///
    /// - Throws: `notFound`; `invalidArgument` for one in the box.
    package func set(
        _ name: String, enabled: Bool, _ change: Change<Void>
    ) async throws -> PluginReport {
        try await refresh()
        // One in a folder may be called as one in the box of another kind.
        let named = await reports().filter { $0.name == name }
        guard let plugin = named.first(where: { !$0.folder.isEmpty }) ?? named.first else {
            throw Self.notFound(name)
        }
        guard !plugin.folder.isEmpty else {
            throw LinajeError(
                .invalidArgument,
                "plugin \"\(name)\" is in the box; only plugins of the plugin directories are disabled"
            )
        }
        guard !plugin.kind.isEmpty else {
            throw LinajeError(.failedPrecondition, plugin.problem)
        }
        try await catalog.change(change) {
            try $0.setPlugin(name, kind: plugin.kind, enabled: enabled)
        }
        try await refresh()
        return await reports().first { $0.folder == plugin.folder } ?? plugin
    }

    /// Looks at the plugin directories and at what is disabled.
    package func refresh() async throws {
        let catalog = catalog
        try await installed.refresh { try await catalog.read { try $0.disabledPlugins() } }
    }

    private func reports() async -> [PluginReport] {
        linked.map {
            PluginReport(
                name: $0.name, kind: $0.kind.rawValue, version: $0.version,
                summary: "a part of linajed")
        } + (await installed.reports())
    }

    private static func notFound(_ name: String) -> LinajeError {
        LinajeError(
            .notFound, "no plugin is called \"\(name)\"; linaje plugin list shows all there are")
    }
}
