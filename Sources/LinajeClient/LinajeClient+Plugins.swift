public import LinajeDomain
import LinajeWire

extension LinajeClient {
    /// The plugins of the daemon, those in its plugin directories as they are now.
    ///
    /// - Parameter name: only those of this name, started so that they say which flavors they have.
    /// - Throws: `notFound` for a name that no plugin has.
    public func plugins(named name: String? = nil) async throws -> [PluginReport] {
        var request = Linaje_V1_ListPluginsRequest()
        request.name = name ?? ""
        return try await call(Methods.listPlugins, request).plugins.map { try PluginReport($0) }
    }

    /// Uses a plugin, or not any more, from now on.
    ///
    /// - Throws: `permissionDenied` for anybody but an admin, `notFound`, `invalidArgument` for one in
    ///   the box.
    @discardableResult
    public func setPlugin(_ name: String, enabled: Bool) async throws -> PluginReport {
        var request = Linaje_V1_SetPluginRequest()
        request.name = name
        request.enabled = enabled
        return try PluginReport(try await call(Methods.setPlugin, request))
    }
}
