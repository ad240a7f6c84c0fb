import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addPlugins(_ service: PluginService) {
        unary(Methods.listPlugins) { request, _ in
            var answer = Linaje_V1_ListPluginsResponse()
            answer.plugins = try await service.list(
                named: request.name.isEmpty ? nil : request.name
            ).map { Linaje_V1_PluginReport($0) }
            return answer
        }
        unary(Methods.setPlugin) { request, context in
            Linaje_V1_PluginReport(
                try await service.set(request.name, enabled: request.enabled, context.changeOnly))
        }
    }
}
