import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addRunPurges(_ service: RunPurgeService) {
        stream(Methods.purgeRuns) { request, context, stream in
            let purge = try RunPurge(request)
            try stream.respond(Linaje_V1_PurgeRunsOpened())
            try await service.purge(purge, by: context.principal) {
                try await stream.send(Linaje_V1_PurgedRun($0))
            }
            stream.end()
        }
    }
}
