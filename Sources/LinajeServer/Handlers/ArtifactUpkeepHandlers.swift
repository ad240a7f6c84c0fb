import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addArtifactUpkeep(_ service: ArtifactUpkeepService) {
        stream(Methods.collectGarbage) { request, _, stream in
            let options = try CollectionOptions(request, grace: service.grace)
            try stream.respond(Linaje_V1_CollectGarbageOpened())
            if request.undo {
                try await service.undo { try await stream.send(Linaje_V1_CollectionNews($0)) }
            } else {
                _ = try await service.collect(options) {
                    try await stream.send(Linaje_V1_CollectionNews($0))
                }
            }
            stream.end()
        }
        unary(Methods.holdContent) { request, context in
            let hold = try await service.hold(
                try ContentURI(request.root), reason: request.reason, lifting: request.lift,
                context.change(encode: Linaje_V1_Hold.init, decode: Hold.init))
            return Linaje_V1_Hold(hold)
        }
        unary(Methods.listHolds) { request, _ in
            let page = try await service.holds(Page(request.page))
            var answer = Linaje_V1_ListHoldsResponse()
            answer.holds = page.elements.map { Linaje_V1_Hold($0) }
            answer.nextPageToken = page.nextPageToken
            return answer
        }
        stream(Methods.checkStore) { request, _, stream in
            try stream.respond(Linaje_V1_CheckStoreOpened())
            _ = try await service.check(CheckOptions(request)) {
                try await stream.send(Linaje_V1_CheckStoreNews($0))
            }
            stream.end()
        }
    }
}

extension CollectionOptions {
    /// - Throws: `invalidArgument` for wishes that exclude each other.
    fileprivate init(_ request: Linaje_V1_CollectGarbageRequest, grace: Duration) throws {
        guard !request.undo || !(request.dryRun || request.explain) else {
            throw LinajeError(
                .invalidArgument, "undo collects nothing: ask for it without dry_run and explain")
        }
        self.init(
            isDryRun: request.dryRun, explains: request.explain,
            grace: request.hasGraceS ? .seconds(Int64(clamping: request.graceS)) : grace,
            acceptsLosses: request.despiteLosses)
    }
}
