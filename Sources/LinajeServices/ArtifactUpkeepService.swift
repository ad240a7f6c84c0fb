import LinajeArtifacts
package import LinajeCatalog
package import LinajeDomain
import LinajePluginKit
import Logging
import ServiceLifecycle
import Synchronization

/// Looks after the artifact store: collects what nothing needs, reads what is there now and then, and
/// checks and repairs it when somebody asks.
package final class ArtifactUpkeepService: Service, Sendable {
    /// How the daemon does it by itself.
    package struct Configuration: Sendable, Hashable {
        /// How long content that nothing needs can be had back.
        package var grace: Duration
        /// From one collection to the next; zero: only when somebody asks.
        package var collectionInterval: Duration
        /// From one scrub to the next; zero: never.
        package var scrubInterval: Duration
        /// Bytes that a scrub reads a second, at most.
        package var scrubRate: Int

        package init(
            grace: Duration = Limits.collectionGrace,
            collectionInterval: Duration = Limits.collectionInterval,
            scrubInterval: Duration = Limits.scrubInterval, scrubRate: Int = Limits.scrubRate
        ) {
            self.grace = grace
            self.collectionInterval = collectionInterval
            self.scrubInterval = scrubInterval
            self.scrubRate = scrubRate
        }
    }

    /// Names of what is kept on record.
    static let collection = "collection"
    static let scrub = "scrub"
    static let check = "check"
    static let retention = "retention"
    /// How often it is looked whether something is due.
    private static let lookInterval = Duration.seconds(60)
    /// How often the place of a scrub is kept, and callers are told how far it is.
    private static let noteInterval = Duration.seconds(30)
    private static let reportInterval = Duration.milliseconds(200)
    /// Reasons of each kind that are named for a tree.
    private static let namedReasons = 20

    private let catalog: CatalogStore
    private let artifacts: ArtifactService
    private let store: ArtifactStore
    private let retention: RetentionService
    private let configuration: Configuration
    private let clock: any WallClock
    private let logger: Logger
    private var roots: CatalogRoots { CatalogRoots(catalog: catalog, clock: clock) }
    private var collector: GarbageCollector { GarbageCollector(store: store, roots: roots) }

    init(
        catalog: CatalogStore, artifacts: ArtifactService, retention: RetentionService,
        configuration: Configuration, clock: any WallClock, logger: Logger
    ) {
        self.catalog = catalog
        self.artifacts = artifacts
        self.store = artifacts.store
        self.retention = retention
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    // MARK: By itself

    /// Collects and scrubs when it is time, until graceful shutdown.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.repeatWhenDue(Self.collection) }
                group.addTask { await self.repeatWhenDue(Self.scrub) }
            }
        }
    }

    private func repeatWhenDue(_ task: String) async {
        let isCollection = task == Self.collection
        let interval =
            isCollection ? configuration.collectionInterval : configuration.scrubInterval
        guard interval > .zero else { return }
        let started = clock.now()
        while (try? await Task.sleep(for: Self.lookInterval)) != nil {
            do {
                let last = try await store.upkeepRecords().first { $0.task == task }
                // A new daemon has other things to do first.
                let due = last?.isOver == false ? started : (last?.begunAt ?? started) + interval
                guard clock.now() >= due || last?.isOver == false else { continue }
                if isCollection {
                    try await applyRetention()
                    _ = try await collect(CollectionOptions(grace: configuration.grace)) { _ in }
                } else {
                    try await scrub(from: last)
                }
            } catch is CancellationError {
                return
            } catch {
                logger.error("\(task) of the artifact store failed: \(error)")
            }
        }
    }

    /// Lets go of what the policies that are automatic no longer keep, so that it is collected.
    func applyRetention() async throws {
        var record = UpkeepRecord(task: Self.retention, begunAt: clock.now())
        guard let done = try await retention.applyAutomatic() else { return }
        record.endedAt = clock.now()
        record.bytes = done.bytes
        record.findings = UInt64(clamping: done.failed)
        record.message =
            "\(done.items) items let go of, \(ByteCount(done.bytes))"
            + (done.failed > 0 ? "; \(done.failed) policies failed, see the daemon's log" : "")
        try await store.record(record)
    }

    /// Reads everything once, from where an earlier scrub was interrupted.
    private func scrub(from last: UpkeepRecord?) async throws {
        var record = UpkeepRecord(task: Self.scrub, begunAt: clock.now())
        if let last, !last.isOver { record = last }
        let begun = record
        var noted = ContinuousClock.now
        let found = Mutex(begun.findings)
        let check = ArtifactCheck(store: store, roots: roots)
        let sum = try await check.scrub(
            after: PackName(key: begun.place), bytesPerSecond: configuration.scrubRate,
            passed: { pack, sum in
                guard noted.duration(to: .now) >= Self.noteInterval else { return }
                noted = .now
                var record = begun
                record.place = pack.key
                record.bytes = sum.bytes
                record.totalBytes = sum.totalBytes
                record.findings = found.withLock { $0 }
                try await self.store.record(record)
            },
            report: { news in
                guard case .finding(let finding) = news else { return }
                found.withLock { $0 += 1 }
                self.logger.error("scrub: \(finding.object): \(finding.finding)")
            })
        record.endedAt = clock.now()
        record.bytes = sum.bytes
        record.totalBytes = sum.totalBytes
        record.findings = found.withLock { $0 }
        record.place = ""
        record.message =
            record.findings == 0
            ? "every byte is as it was written"
            : "\(record.findings) things are damaged; run linaje fsck --read-data --repair"
        try await store.record(record)
        logger.notice("scrub of the artifact store is over: \(record.message)")
    }

    // MARK: When somebody asks

    /// Collects once, and tells how far it is.
    package func collect(
        _ options: CollectionOptions,
        report: @Sendable (CollectionNews) async throws -> Void
    ) async throws -> CollectionSum {
        var record = UpkeepRecord(task: Self.collection, begunAt: clock.now())
        var told = ContinuousClock.now
        do {
            try await forgetLeases(dryRun: options.isDryRun)
            var sum = try await collector.collect(options) { news in
                try Task.checkCancellation()
                switch news {
                case .progress(let sum):
                    if sum.waitingFor.isEmpty {
                        guard told.duration(to: .now) >= Self.reportInterval else { return }
                        told = .now
                    }
                    try await report(news)
                case .tree(var verdict):
                    verdict.reasons = try await self.reasons(for: verdict)
                    try await report(.tree(verdict))
                }
            }
            sum.isFinished = true
            if !options.isDryRun {
                record.bytes = sum.freedBytes
                record.findings = UInt64(sum.findings.count)
                record.message = Self.text(sum)
                record.endedAt = clock.now()
                try await store.record(record)
                logger.notice("artifacts: \(record.message)")
            }
            try await report(.progress(sum))
            return sum
        } catch let error as LinajeError where error.code != .cancelled && !options.isDryRun {
            record.endedAt = clock.now()
            record.findings = 1
            record.message = error.message
            try? await store.record(record)
            throw error
        }
    }

    /// The grace time when nobody says another.
    package var grace: Duration { configuration.grace }

    /// Takes everything back that is condemned; trees that belong to nothing are kept for the grace
    /// time, so that the next collection does not condemn them again at once.
    package func undo(
        report: @Sendable (CollectionNews) async throws -> Void
    ) async throws {
        let end = clock.now() + max(configuration.grace, Limits.treeLease)
        var sum = CollectionSum()
        let saved = try await collector.undo(
            waiting: { others in
                var waits = CollectionSum()
                waits.waitingFor = others
                try await report(.progress(waits))
            },
            saved: { trees in
                try await self.catalog.change(.untracked(by: Self.daemon)) { transaction in
                    for tree in trees { try transaction.lease(tree, until: end) }
                }
            })
        sum.rescued = saved.blobs
        sum.isFinished = true
        try await report(.progress(sum))
    }

    /// Checks the store, and tells what it finds.
    package func check(
        _ options: CheckOptions, report: @Sendable (CheckNews) async throws -> Void
    ) async throws -> CheckSum {
        var record = UpkeepRecord(task: Self.check, begunAt: clock.now())
        var told = ContinuousClock.now
        var sum = try await ArtifactCheck(store: store, roots: roots).run(options) { news in
            try Task.checkCancellation()
            switch news {
            case .progress(let sum):
                if sum.waitingFor.isEmpty {
                    guard told.duration(to: .now) >= Self.reportInterval else { return }
                    told = .now
                }
                try await report(news)
            case .finding(var finding):
                if let tree = finding.tree { finding.affected = try await self.reasons(for: tree) }
                try await report(.finding(finding))
            }
        }
        sum.isFinished = true
        record.bytes = sum.bytes
        record.totalBytes = sum.totalBytes
        record.findings = sum.findings
        record.endedAt = clock.now()
        record.message =
            sum.findings == 0
            ? "nothing is wrong" : "\(sum.findings) findings, \(sum.repaired) of them put right"
        try await store.record(record)
        try await report(.progress(sum))
        return sum
    }

    // MARK: Holds

    /// Holds the content of a URI, or lifts its hold.
    package func hold(
        _ uri: ContentURI, reason: String, lifting: Bool, _ change: Change<Hold>
    ) async throws -> Hold {
        if let done = try await catalog.remembered(change) { return done }
        return try await store.keepingUsed {
            let tree = try await self.tree(of: uri, lifting: lifting)
            return try await self.catalog.change(change) { transaction in
                lifting
                    ? try transaction.liftHold(tree)
                    : try transaction.placeHold(tree, reason: reason)
            }
        }
    }

    /// What is held, by tree.
    package func holds(_ page: Page) async throws -> Paged<Hold> {
        let after = page.token.isEmpty ? nil : SHA256Digest(hex: page.token)
        guard page.token.isEmpty || after != nil else {
            throw LinajeError(
                .invalidArgument, "page token \"\(page.token.prefix(80))\" is no list's of holds")
        }
        let found = try await catalog.read { try $0.holds(after: after, limit: page.limit + 1) }
        let part = Array(found.prefix(page.limit))
        return Paged(
            part, nextPageToken: found.count > part.count ? part.last?.tree.description ?? "" : "")
    }

    // MARK: Parts

    private func tree(of uri: ContentURI, lifting: Bool) async throws -> SHA256Digest {
        if case .tree(let digest) = uri {
            // What is lost can still be let go.
            if !lifting { try await store.requireComplete(digest) }
            return digest
        }
        let found = try await artifacts.resolve(uri, toLoad: false)
        guard found.file == nil else {
            throw LinajeError(
                .invalidArgument, "\(uri) is one file; name the folder or the whole run")
        }
        return lifting
            ? ArtifactService.digest(of: found.tree)
            : try await artifacts.keep(found.tree).digest
    }

    private func reasons(for verdict: TreeVerdict) async throws -> [String] {
        let found = try await reasons(for: verdict.digest)
        return found.isEmpty && !verdict.isKept ? ["nothing refers to it"] : found
    }

    private func reasons(for tree: SHA256Digest) async throws -> [String] {
        let now = clock.now()
        return try await catalog.read {
            try $0.reasons(for: tree, now: now, limit: Self.namedReasons)
        }
    }

    private func forgetLeases(dryRun: Bool) async throws {
        guard !dryRun else { return }
        let limit = 1_000
        while try await catalog.change(
            .untracked(by: Self.daemon), { try $0.forgetEndedLeases(limit: limit) }) == limit
        {}
    }

    private static let daemon = Principal(name: "daemon", role: .admin, door: "daemon")

    private static func text(_ sum: CollectionSum) -> String {
        "\(ByteCount(sum.condemnedBytes)) condemned, \(ByteCount(sum.freedBytes)) freed in "
            + "\(sum.removedPacks) packs, \(ByteCount(sum.waitingBytes)) wait"
    }
}

extension UpkeepRecord {
    fileprivate var isOver: Bool { endedAt != nil }
}

extension Timestamp {
    fileprivate static func + (moment: Timestamp, span: Duration) -> Timestamp {
        let (sum, isOver) = moment.microseconds.addingReportingOverflow(
            span.components.seconds.multipliedReportingOverflow(by: 1_000_000).partialValue)
        return isOver ? Timestamp(microseconds: .max) : Timestamp(microseconds: sum)
    }
}
