package import LinajeDomain
package import LinajePluginKit
package import Logging
import ServiceLifecycle

/// Looks after the databases while they are in use: what an administrator asks for, what migrations
/// left to do, and a little by itself now and then.
///
/// Every part of the work is one bounded turn of a database's writer (`SQLBackend.maintain`,
/// `SQLBackend.backfill`); commits go between the parts.
package struct MaintenanceService: Sendable, Service {
    /// Packs points, tells after each step what it did and how much is left, and returns the damage
    /// that kept it from some of them.
    package typealias Compaction =
        @Sendable (_ report: (_ done: Int, _ freed: Int, _ left: Int) async throws -> Void)
        async throws -> LinajeError?

    /// A database of the daemon.
    package struct Database: Sendable {
        /// "catalog" or "metrics".
        package var name: String
        package var backend: any SQLBackend
        /// Packs what waits for it; `nil`: nothing ever does.
        package var compact: Compaction?
        /// Keeps it from packing by itself for so long from now.
        package var pauseCompaction: (@Sendable (Duration) -> Void)?
        /// Does the next batch of what migrations left to do; `nil`: nothing is left.
        package var backfill: @Sendable () async throws -> SQLBackfillProgress?

        package init(
            name: String, backend: any SQLBackend, compact: Compaction? = nil,
            pauseCompaction: (@Sendable (Duration) -> Void)? = nil,
            backfill: @escaping @Sendable () async throws -> SQLBackfillProgress?
        ) {
            self.name = name
            self.backend = backend
            self.compact = compact
            self.pauseCompaction = pauseCompaction
            self.backfill = backfill
        }
    }

    /// How often idle databases are looked for, whose logs are then moved into their files.
    static let idleInterval = Duration.seconds(60)
    /// How long a migration waits for room or for whoever holds the database.
    static let retryInterval = Duration.seconds(5)
    /// Idle looks between two renewals of what the query planner knows: six hours.
    static let looksPerAnalysis = 360
    /// Transactions after which it is renewed at the next look, if they are half of all since the
    /// start: a database that grows from nothing is looked at early and often.
    static let changesPerAnalysis: UInt64 = 1_000

    /// Seconds that compaction may pause: a week, in which few databases grow past their disk.
    static let longestPause: UInt64 = 604_800

    private let databases: [Database]
    private let logger: Logger

    package init(databases: [Database], logger: Logger) {
        self.databases = databases
        self.logger = logger
    }

    /// Does tasks on all databases, in order, and reports each part.
    ///
    /// A task that one database cannot do is reported as its failure, and the work goes on. Stops
    /// between two parts when `report` throws or the calling task is cancelled.
    package func maintain(
        _ tasks: [MaintenanceTask], report: (MaintenanceProgress) async throws -> Void
    ) async throws {
        for task in tasks {
            for database in databases where task != .compact || database.compact != nil {
                var progress = MaintenanceProgress(database: database.name, task: task)
                do {
                    if task == .compact, let compact = database.compact {
                        try await Self.compact(compact, &progress, report: report)
                    } else {
                        try await Self.maintain(database.backend, &progress, report: report)
                    }
                } catch let error as LinajeError where error.code != .cancelled {
                    progress.failure = error.message
                }
                progress.isFinished = true
                try await report(progress)
            }
        }
    }

    /// Keeps points from being packed in the background for so long from now; zero lets it go on.
    ///
    /// - Throws: `invalidArgument` for more than a week.
    package func pauseCompaction(seconds: UInt64) throws {
        guard seconds <= Self.longestPause else {
            throw LinajeError(
                .invalidArgument,
                "compaction cannot pause for \(seconds) seconds; at most \(Self.longestPause), a "
                    + "week")
        }
        for database in databases { database.pauseCompaction?(.seconds(Int64(seconds))) }
    }

    /// Works through what migrations left to do, then keeps looking for idle databases until
    /// graceful shutdown.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            for database in databases { await finishMigrations(of: database) }
            await keepTidy()
        }
    }

    private static func compact(
        _ compact: @escaping Compaction, _ progress: inout MaintenanceProgress,
        report: (MaintenanceProgress) async throws -> Void
    ) async throws {
        var sum = progress
        let damage = try await compact { done, freed, left in
            sum.done += UInt64(clamping: done)
            sum.freed = ByteCount(sum.freed.bytes + UInt64(clamping: freed))
            sum.left = UInt64(clamping: left)
            if left > 0 { try await report(sum) }
        }
        sum.left = 0
        sum.failure = damage?.message
        progress = sum
    }

    private static func maintain(
        _ backend: any SQLBackend, _ progress: inout MaintenanceProgress,
        report: (MaintenanceProgress) async throws -> Void
    ) async throws {
        var cursor: String?
        repeat {
            try Task.checkCancellation()
            let step = try await backend.maintain(progress.task, from: cursor)
            progress.done += step.done
            progress.left = step.left
            progress.freed = ByteCount(progress.freed.bytes + step.freedBytes)
            cursor = step.next
            if cursor != nil { try await report(progress) }
        } while cursor != nil
    }

    private func finishMigrations(of database: Database) async {
        var lastPercent = -1
        while !Task.isCancelled {
            do {
                guard let progress = try await database.backfill() else { return }
                // A line for each tenth: whoever waits sees that it goes on.
                let percent = progress.percent
                if progress.isFinished || percent / 10 != lastPercent / 10 || lastPercent < 0 {
                    logger.notice(
                        "migrating \(progress.namespace) \"\(progress.name)\": \(percent) %")
                }
                lastPercent = percent
            } catch let error as LinajeError where error.isRetryable {
                logger.warning("migration of \(database.name) waits: \(error)")
                try? await Task.sleep(for: Self.retryInterval)
            } catch {
                // It goes on at the next start; until then everything is answered without it.
                logger.error("migration of \(database.name) stopped: \(error)")
                return
            }
        }
    }

    private func keepTidy() async {
        var known = databases.map(\.backend.changes)
        /// What was known when the log was moved last: nothing has come to it since.
        var tidied: [UInt64?] = databases.map { _ in nil }
        /// What was known when the planner's knowledge was renewed last.
        var analyzed: [UInt64] = databases.map { _ in 0 }
        var looks = 0
        while (try? await Task.sleep(for: Self.idleInterval)) != nil {
            looks += 1
            for (index, database) in databases.enumerated() {
                let changes = database.backend.changes
                let isIdle = changes == known[index]
                known[index] = changes
                var tasks: [MaintenanceTask] = []
                if looks % Self.looksPerAnalysis == 0
                    || Self.needsAnalysis(changes, since: analyzed[index])
                {
                    tasks.append(.analyze)
                    analyzed[index] = changes
                }
                if isIdle, tidied[index] != changes {
                    tasks.append(.checkpoint)
                    tidied[index] = changes
                }
                for task in tasks { await doQuietly(task, database) }
            }
        }
    }

    /// Whether so much has changed that the planner's knowledge is of another database.
    static func needsAnalysis(_ changes: UInt64, since analyzed: UInt64) -> Bool {
        let new = changes &- analyzed
        return new >= changesPerAnalysis && new >= analyzed
    }

    private func doQuietly(_ task: MaintenanceTask, _ database: Database) async {
        var progress = MaintenanceProgress(database: database.name, task: task)
        do {
            try await Self.maintain(database.backend, &progress) { _ in }
        } catch is CancellationError {
        } catch {
            logger.warning("\(task.rawValue) of \(database.name) failed: \(error)")
        }
    }
}
