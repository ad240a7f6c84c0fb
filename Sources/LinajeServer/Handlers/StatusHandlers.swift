import LinajeArtifacts
import LinajeDomain
import LinajeHost
import LinajeMetrics
import LinajePluginKit
import LinajeServices
import LinajeTelemetry
import LinajeWire

extension MethodTable {
    mutating func addStatus(_ service: StatusService, connections: ConnectionCount) {
        unary(Methods.getDaemonMetrics) { _, _ in
            var answer = Linaje_V1_DaemonMetrics()
            answer.text = await service.exposition()
            return answer
        }
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
            answer.residentBytes = status.process.residentBytes
            answer.freeBytes = status.process.freeBytes
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
            answer.addFigures(of: status)
            answer.migrations = status.migrations.map { migration in
                var message = Linaje_V1_MigrationStatus()
                message.namespace = migration.namespace
                message.name = migration.name
                message.done = migration.done
                message.total = migration.total
                return message
            }
            answer.upkeep = status.upkeep.map { Linaje_V1_UpkeepStatus($0) }
            return answer
        }
    }
}

extension Linaje_V1_Status {
    /// What the daemon counts about itself.
    fileprivate mutating func addFigures(of status: DaemonStatus) {
        if let latency = status.commitLatency {
            commitLatency.upperBoundUs = latency.buckets.bounds.map { $0 / 1_000 }
            commitLatency.cumulativeCount = latency.cumulative
            commitLatency.count = latency.count
            commitLatency.sumUs = latency.sum / 1_000
        }
        queueLimitBytes = UInt64(clamping: status.metrics.queueLimit)
        totalBytes = status.process.totalBytes
        cpuUs = UInt64(clamping: Int64(status.process.processor / .microseconds(1)))
        calls = status.calls
        failedCalls = status.failedCalls
        receivedBytes = status.receivedBytes
        sentBytes = status.sentBytes
        refusedConnections = status.refusedConnections
        cutConnections = status.cutConnections
        watchedRuns = status.watchedRuns
        stalledRuns = status.stalledRuns
        openFiles = status.process.openFiles
        openFilesLimit = status.process.openFilesLimit
        kernelFeatures = KernelFacility.ofOwners.map { facility in
            var message = Linaje_V1_KernelFeature()
            message.name = facility.rawValue
            message.available = status.kernel.contains(facility)
            message.meaning = "without it " + facility.lostWithout
            return message
        }
    }
}
