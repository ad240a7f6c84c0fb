public import LinajeDomain
import LinajeTransport
import LinajeWire

/// What a collection does. One task reads it; when it stops reading, the daemon stops.
public struct CollectionReading: Sendable, AsyncSequence {
    let stream: ClientStream<Linaje_V1_CollectGarbageOpened>

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ClientStream<Linaje_V1_CollectGarbageOpened>

        /// What it did next; `nil` when it is over.
        public mutating func next() async throws -> CollectionNews? {
            guard let payload = try await stream.next() else { return nil }
            return try CollectionNews(Linaje_V1_CollectionNews(payload: payload))
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

/// What a check of the artifact store finds. One task reads it; when it stops reading, the daemon
/// stops.
public struct StoreCheckReading: Sendable, AsyncSequence {
    let stream: ClientStream<Linaje_V1_CheckStoreOpened>

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ClientStream<Linaje_V1_CheckStoreOpened>

        /// What it found next; `nil` when it is over.
        public mutating func next() async throws -> CheckNews? {
            guard let payload = try await stream.next() else { return nil }
            return try CheckNews(Linaje_V1_CheckStoreNews(payload: payload))
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

extension LinajeClient {
    /// Frees what nothing needs, or says what would be freed.
    ///
    /// - Parameter grace: how long condemned content stays; `nil`: what the daemon is set to.
    /// - Throws: `permissionDenied` for anybody but an admin; while it is read, `failedPrecondition`
    ///   when it is not known what is needed.
    public func collectGarbage(
        dryRun: Bool = false, explaining: Bool = false, grace: Duration? = nil,
        despiteLosses: Bool = false
    ) async throws -> CollectionReading {
        var request = Linaje_V1_CollectGarbageRequest()
        request.dryRun = dryRun
        request.explain = explaining
        if let grace { request.graceS = UInt64(clamping: grace.components.seconds) }
        request.despiteLosses = despiteLosses
        return try await collection(request)
    }

    /// Takes back what collections have condemned and not removed yet.
    ///
    /// - Throws: `permissionDenied` for anybody but an admin.
    public func undoCollections() async throws -> CollectionReading {
        var request = Linaje_V1_CollectGarbageRequest()
        request.undo = true
        return try await collection(request)
    }

    private func collection(
        _ request: Linaje_V1_CollectGarbageRequest
    ) async throws -> CollectionReading {
        let stream = try await connections.connection().open(Methods.collectGarbage, request)
        _ = try await stream.response()
        return CollectionReading(stream: stream)
    }

    /// Checks the artifact store while it is used.
    ///
    /// - Throws: `permissionDenied` for anybody but an admin.
    public func checkStore(_ options: CheckOptions) async throws -> StoreCheckReading {
        let stream = try await connections.connection().open(
            Methods.checkStore, Linaje_V1_CheckStoreRequest(options))
        _ = try await stream.response()
        return StoreCheckReading(stream: stream)
    }

    /// Holds content whatever becomes of what it belongs to. Of a run: what it has now.
    ///
    /// - Throws: `permissionDenied` for anybody but an admin, `notFound`, `incomplete`.
    @discardableResult
    public func placeHold(on content: ContentURI, reason: String) async throws -> Hold {
        var request = Linaje_V1_HoldContentRequest()
        request.root = Linaje_V1_ArtifactRoot(uri: content.description)
        request.reason = reason
        return try Hold(await call(Methods.holdContent, request))
    }

    /// Lifts a hold.
    ///
    /// - Throws: `permissionDenied` for anybody but an admin, `notFound` when nothing is held.
    @discardableResult
    public func liftHold(on content: ContentURI) async throws -> Hold {
        var request = Linaje_V1_HoldContentRequest()
        request.root = Linaje_V1_ArtifactRoot(uri: content.description)
        request.lift = true
        return try Hold(await call(Methods.holdContent, request))
    }

    /// What is held.
    public func holds(page: Page) async throws -> Paged<Hold> {
        var request = Linaje_V1_ListHoldsRequest()
        request.page = Linaje_V1_Page(page)
        let answer = try await call(Methods.listHolds, request)
        return Paged(try answer.holds.map { try Hold($0) }, nextPageToken: answer.nextPageToken)
    }
}
