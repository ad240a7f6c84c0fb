package import LinajeDomain
package import LinajePluginKit
package import Logging

/// Gathers blobs of all sessions in packs, and makes packs durable and visible.
///
/// One pack is open. A full pack, or one that somebody waits for, is sealed and written while the
/// next fills; at most `maximumSealed` wait, then `append` does: so much memory it takes and not
/// more. Packs are written one after the other. What becomes of a pack, its ticket says.
///
/// After `storageFailed` nothing is accepted any more; after any other error the pack is lost and
/// the next is tried.
package actor PackSink {
    /// Sealed packs that may wait for their write, the one in writing included.
    package static let maximumSealed = 2
    /// Packs whose blobs are remembered after they became visible. A session that asked the index
    /// just before finds them here, so that content is not stored twice.
    package static let rememberedPacks = 8

    private struct PackOnItsWay {
        var builder: PackBuilder
        var ticket: PackTicket
    }

    private let backend: any ArtifactBackend
    private let index: ChunkIndex
    private let logger: Logger
    private let locks: PackLocks
    private let recipes: RecipeCache
    private let observer: WaypointObserver?
    private let metrics = ArtifactMetrics()

    private var open = PackOnItsWay(builder: PackBuilder(), ticket: PackTicket())
    private var sealed: [PackOnItsWay] = []
    private var isWriting = false
    /// The body of the last pack that was written, while the next one is filled.
    private var spare: [UInt8] = []
    /// Somebody waits for the open pack; it is sealed when the writer is free, so that all who
    /// come meanwhile share it.
    private var isOpenWanted = false
    /// Blobs that are on their way or have just become visible.
    private var located: [BlobKey: PackTicket] = [:]
    private var remembered: [(ticket: PackTicket, keys: [BlobKey])] = []
    private var roomWaiters: [CheckedContinuation<Void, Never>] = []
    private var broken: LinajeError?

    package init(
        backend: any ArtifactBackend, index: ChunkIndex, locks: PackLocks = PackLocks(),
        recipes: RecipeCache = RecipeCache(), logger: Logger = Logger(label: "linaje.artifacts"),
        observer: WaypointObserver? = nil
    ) {
        self.backend = backend
        self.index = index
        self.locks = locks
        self.recipes = recipes
        self.logger = logger
        self.observer = observer
    }

    /// Why nothing is accepted any more, or `nil`.
    package var failure: LinajeError? { broken }

    /// The tickets of those blobs that are on their way. Of those that have arrived the index knows
    /// more: they may be condemned by now.
    package func tickets(of keys: [BlobKey]) -> [BlobKey: PackTicket] {
        var out: [BlobKey: PackTicket] = [:]
        for key in keys {
            if let ticket = located[key], ticket.outcome == nil { out[key] = ticket }
        }
        return out
    }

    /// Forgets that blobs have arrived, before they are taken out of the index.
    package func forget(_ keys: [BlobKey]) {
        for key in keys where located[key]?.outcome != nil { located[key] = nil }
    }

    /// Takes blobs; one that is on its way already is not taken twice.
    ///
    /// - Returns: the packs that hold them, and the bytes of content that were taken.
    /// - Throws: the error that broke the store.
    package func append(
        _ blobs: [EncodedBlob]
    ) async throws -> (tickets: Set<PackTicket>, taken: UInt64) {
        while sealed.count >= PackSink.maximumSealed, broken == nil {
            await withCheckedContinuation { roomWaiters.append($0) }
        }
        if let broken { throw broken }
        var tickets: Set<PackTicket> = []
        var taken: UInt64 = 0
        for blob in blobs {
            if let ticket = located[blob.key] {
                tickets.insert(ticket)
                continue
            }
            let (room, overflow) = PackBuilder.targetBytes.subtractingReportingOverflow(
                open.builder.size)
            if !open.builder.isEmpty, overflow || blob.stored.count > room { seal() }
            open.builder.append(blob)
            located[blob.key] = open.ticket
            tickets.insert(open.ticket)
            taken += UInt64(blob.contentLength)
            if open.builder.isFull { seal() }
        }
        startWriting()
        return (tickets, taken)
    }

    /// Waits until all of these packs are durable and in the index.
    ///
    /// - Throws: the error of the first pack that is lost.
    package func flush(_ tickets: Set<PackTicket>) async throws {
        if tickets.contains(open.ticket) {
            if isWriting {
                isOpenWanted = true
            } else {
                seal()
                startWriting()
            }
        }
        for ticket in tickets { try await ticket.wait() }
    }

    private func seal() {
        isOpenWanted = false
        guard !open.builder.isEmpty else { return }
        sealed.append(open)
        open = PackOnItsWay(builder: PackBuilder(reusing: takeSpare()), ticket: PackTicket())
    }

    private func takeSpare() -> [UInt8] {
        // Moved out, so that nobody else holds it and its memory is used rather than copied.
        var taken: [UInt8] = []
        swap(&taken, &spare)
        return taken
    }

    private func startWriting() {
        guard !isWriting, !sealed.isEmpty else { return }
        isWriting = true
        // Unstructured because a pack belongs to many sessions: that one of them is cancelled must
        // not stop it. It ends by itself when no sealed pack is left.
        Task { await self.writeSealed() }
    }

    private func writeSealed() async {
        while let pack = sealed.first {
            let outcome: Result<[BlobKey], LinajeError>
            do {
                if let broken { throw broken }
                outcome = .success(try await write(pack.builder))
            } catch {
                outcome = .failure(LinajeError.any(error))
            }
            sealed.removeFirst()
            finish(pack, outcome)
            if sealed.isEmpty, isOpenWanted { seal() }
        }
        isWriting = false
        if open.builder.isEmpty { spare = [] }
    }

    /// Makes a pack durable, then visible.
    private func write(_ builder: PackBuilder) async throws -> [BlobKey] {
        let started = ContinuousClock.now
        let pack = try builder.seal()
        try await locks.hold(pack.name) {
            try await backend.write(pack)
            try await observer?(.packWritten)
            let others = try await index.insert(
                pack.name, size: pack.size, pack.header, isOurs: true)
            recipes.forget(others)
        }
        try await observer?(.packEntered)
        metrics.wrote(bytes: pack.size, took: started.duration(to: .now))
        if pack.body.capacity <= 2 * PackBuilder.targetBytes { spare = pack.body }
        return pack.header.entries.map(\.key)
    }

    private func finish(_ pack: PackOnItsWay, _ outcome: Result<[BlobKey], LinajeError>) {
        switch outcome {
        case .success(let keys):
            remembered.append((pack.ticket, keys))
            if remembered.count > PackSink.rememberedPacks {
                let oldest = remembered.removeFirst()
                for key in oldest.keys where located[key] == oldest.ticket { located[key] = nil }
            }
        case .failure(let error):
            located = located.filter { $0.value != pack.ticket }
            if error.code == .storageFailed, broken == nil {
                broken = error
                logger.critical("artifact store accepts nothing more: \(error)")
            } else {
                logger.error("a pack was lost, its ingest sessions fail: \(error)")
            }
        }
        pack.ticket.complete(outcome.map { _ in })
        let waiters = roomWaiters
        roomWaiters = []
        for waiter in waiters { waiter.resume() }
    }
}

extension ArtifactBackend {
    /// Makes a pack durable under its key.
    func write(_ pack: SealedPack) async throws {
        let writer = try await put(pack.name.key)
        do {
            try await writer.write(pack.body)
            try await writer.write(pack.tail)
            try await writer.commit()
        } catch {
            await writer.abort()
            throw error
        }
    }
}

extension LinajeError {
    /// The error itself, or what an error of another type means at a boundary.
    package static func any(_ error: any Error) -> LinajeError {
        if let error = error as? LinajeError { return error }
        if error is CancellationError {
            return LinajeError(.cancelled, "artifact call was cancelled; try again")
        }
        return LinajeError(.internalError, "artifact store failed: \(error); see the log")
    }
}
