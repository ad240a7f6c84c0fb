import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addRemotes(_ service: RemoteService) {
        unary(Methods.addRemote) { request, context in
            try await service.add(request.name, request.address, context.changeOnly)
            return Linaje_V1_Done()
        }
        unary(Methods.removeRemote) { request, context in
            try await service.remove(request.name, context.changeOnly)
            return Linaje_V1_Done()
        }
        unary(Methods.listRemotes) { _, _ in
            var answer = Linaje_V1_ListRemotesResponse()
            answer.remotes = try await service.remotes().map { Linaje_V1_Remote($0) }
            return answer
        }
        stream(Methods.exchangeWithRemote) { request, _, stream in
            let action = try RemoteAction(request.action)
            try stream.respond(Linaje_V1_ExchangeWithRemoteOpened())
            try await service.exchange(
                action, with: request.remote, readingData: request.readData
            ) {
                try await stream.send(Linaje_V1_RemoteProgress($0))
            }
            stream.end()
        }
    }
}
