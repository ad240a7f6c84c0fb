import LinajeArtifacts
import LinajeDomain
import LinajeMetrics
import LinajePluginKit
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addStatus(_ service: StatusService, connections: ConnectionCount) {
        unary(Methods.getStatus) { _, _ in
            let status = try await service.current()
            var answer = Linaje_V1_Status()
            answer.version = status.version
            answer.stateDirectory = status.stateDirectory
            answer.startedAtUs = status.startedAt.microseconds
            answer.pid = status.pid
            answer.connections = UInt32(clamping: connections.current)
            answer.points = status.metrics.points
            answer.commits = status.metrics.commits
            answer.queuedBytes = UInt64(clamping: status.metrics.queuedBytes)
            answer.residentBytes = status.residentBytes
            answer.freeBytes = status.freeBytes
            answer.chunks = status.artifacts.chunks
            answer.storedBytes = status.artifacts.storedBytes
            answer.contentBytes = status.artifacts.contentBytes
            answer.failure = status.metrics.failure?.message ?? ""
            answer.plugins = status.plugins.map { plugin in
                var message = Linaje_V1_PluginStatus()
                message.name = plugin.name
                message.kind = plugin.kind.rawValue
                message.version = plugin.version
                return message
            }
            answer.migrations = status.migrations.map { migration in
                var message = Linaje_V1_MigrationStatus()
                message.namespace = migration.namespace
                message.name = migration.name
                message.done = migration.done
                message.total = migration.total
                return message
            }
            return answer
        }
    }
}
