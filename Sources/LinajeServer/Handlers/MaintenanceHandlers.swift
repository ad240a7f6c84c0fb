import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addMaintenance(_ service: MaintenanceService) {
        stream(Methods.maintain) { request, _, stream in
            let tasks = try request.tasks.map { try MaintenanceTask($0) }
            try stream.respond(Linaje_V1_MaintainOpened())
            try await service.maintain(tasks.isEmpty ? MaintenanceTask.allCases : tasks) {
                try await stream.send(Linaje_V1_MaintenanceProgress($0))
            }
            stream.end()
        }
        unary(Methods.pauseCompaction) { request, _ in
            try service.pauseCompaction(seconds: request.seconds)
            return Linaje_V1_PauseCompactionResponse()
        }
    }
}
