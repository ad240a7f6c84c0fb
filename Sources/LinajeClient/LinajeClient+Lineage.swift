public import LinajeDomain
import LinajeWire

extension LinajeClient {
    /// Where something came from.
    ///
    /// - Parameters:
    ///   - uri: models:/… or runs:/ID.
    ///   - depth: how many steps back; 0: `Limits.lineageDepth`.
    public func lineage(of uri: String, depth: Int = 0) async throws -> LineageGraph {
        var request = Linaje_V1_GetLineageRequest()
        request.uri = uri
        request.depth = UInt32(clamping: depth)
        return try LineageGraph(await call(Methods.getLineage, request))
    }

    /// Lists the changes of the registry, oldest first.
    ///
    /// - Parameters:
    ///   - model: only about this model; empty: all.
    ///   - version: only about this version; 0: any.
    ///   - since: only from this moment on.
    ///   - until: only before this moment.
    public func events(
        model: String = "", version: UInt64 = 0, since: Timestamp? = nil,
        until: Timestamp? = nil, page: Page? = nil
    ) async throws -> Paged<LedgerEvent> {
        var request = Linaje_V1_ListEventsRequest()
        request.model = model
        request.version = version
        request.sinceUs = since?.microseconds ?? 0
        request.untilUs = until?.microseconds ?? 0
        if let page { request.page = Linaje_V1_Page(page) }
        let response = try await call(Methods.listEvents, request)
        return Paged(
            try response.events.map { try LedgerEvent($0) },
            nextPageToken: response.nextPageToken)
    }

    /// Asks the daemon to recompute the chain of events.
    public func verifyLedger() async throws -> LedgerVerification {
        try LedgerVerification(
            await call(Methods.verifyLedger, Linaje_V1_VerifyLedgerRequest()))
    }
}
