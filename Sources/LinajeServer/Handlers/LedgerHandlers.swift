import LinajeCatalog
import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addLedger(_ service: LedgerService) {
        unary(Methods.getLineage) { request, _ in
            let depth =
                request.depth == 0
                ? Limits.lineageDepth : min(Int(request.depth), Limits.lineageDepth)
            return Linaje_V1_LineageGraph(try await service.lineage(request.uri, depth: depth))
        }
        unary(Methods.listEvents) { request, _ in
            let page = try await service.events(
                EventQuery(
                    model: request.model.isEmpty ? nil : request.model,
                    version: request.version == 0 ? nil : request.version,
                    since: request.sinceUs == 0 ? nil : Timestamp(microseconds: request.sinceUs),
                    until: request.untilUs == 0 ? nil : Timestamp(microseconds: request.untilUs),
                    page: Page(request.page)))
            var answer = Linaje_V1_ListEventsResponse()
            answer.events = page.elements.map(Linaje_V1_Event.init)
            answer.nextPageToken = page.nextPageToken
            return answer
        }
        unary(Methods.verifyLedger) { _, _ in
            Linaje_V1_VerifyLedgerResponse(try await service.verify())
        }
    }
}
