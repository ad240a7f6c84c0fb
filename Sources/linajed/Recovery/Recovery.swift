import CStorageCalls
import FoundationEssentials
import Glibc
import LinajeArtifacts
import LinajeCatalog
import LinajeDomain
import LinajeMetrics
import LinajePluginKit
import LinajeRunLogs
import LinajeTransport
import Logging
import SQLiteBackend

/// `linajed --recover`: looks at everything in a state directory that no daemon uses, says what is
/// wrong, and puts right what can be.
///
/// A damaged database is copied to `recovered/TIME/` before it is changed, and replaced only by one
/// that is complete. A recovery that is killed is run again. A second run finds nothing left to do;
/// what is lost for good it names again as long as something refers to it. A dry run works on copies
/// of the databases in the temporary folder and changes nothing.
struct Recovery {
    let directory: String
    /// Rewrite databases that cannot be shrunk in steps.
    let rewriting: Bool
    let report: RecoveryReport
    let environment: [String: String]
    let socket: String
    let settings: ArtifactSettings

    /// - Throws: `alreadyRunning`, `notFound`, `permissionDenied`, `storeTooNew`: then nothing was
    ///   done; `storageFull`, `storageFailed`: then what was not done yet is as it was.
    func run() async throws {
        let state = try StateDirectory(recovering: directory)
        try requireKnown()
        let work = try workFolder()
        defer { if work != directory { try? FileManager.default.removeItem(atPath: work) } }
        StateModes(directory: directory, report: report).run()
        removeLeftovers()
        let copies = SafeCopy(work, now: SystemClock().now())
        copies.removeUnfinished()

        let names = StoreCheck.databases.map(\.name)
        let wasThere = names.contains { FileFacts.size("\(work)/\($0)") > 0 }
        guard wasThere || FileFacts.exists(directory + "/packs") else {
            report.add(.note, "databases", "nothing is kept in \(directory) yet")
            return
        }
        var results: [String: DatabaseRecovery.Result] = [:]
        for database in StoreCheck.databases {
            let recovery = DatabaseRecovery(
                name: database.name, path: "\(work)/\(database.name)",
                migrations: database.known.map { (namespace: $0.key, steps: $0.value) },
                copies: copies, report: report)
            results[database.name] = try await recovery.run(rewriting: rewriting)
        }
        try keepStrayLogs(results, work: work, copies: copies)
        if let result = results["catalog.db"] {
            try await goingOn("catalog.db") {
                try await recoverCatalog(result, work: work, copies: copies)
            }
        }
        if let result = results["metrics.db"] {
            try await goingOn("metrics.db") { try await recoverMetrics(result, work: work) }
        }
        if !report.isDryRun { try StateFormat.stamp(directory, version: Linajed.version) }
        withExtendedLifetime(state) {}
    }

    // MARK: Before

    private func requireKnown() throws {
        do {
            let format = try StateFormat.read(directory)
            try format?.requireKnown(directory, version: Linajed.version)
        } catch let error as LinajeError where error.code == .corrupt {
            if !report.isDryRun { storage_unlink(directory + "/format") }
            report.add(.repaired, "format", "the stamp cannot be read", "it is written anew")
        }
        for database in StoreCheck.databases {
            let path = "\(directory)/\(database.name)"
            // What is damaged too much to say is looked at later.
            guard let file = try? SQLiteFile(path, for: .look),
                let seen = try? file.migrations()
            else { continue }
            try StoreCheck.requireKnown(seen, database.known, path: path)
        }
    }

    /// Where databases are looked at and changed.
    private func workFolder() throws -> String {
        guard report.isDryRun else { return directory }
        var template = Array(
            "\(environment["TMPDIR"] ?? "/tmp")/linaje-recover-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw FileFacts.failure("make a temporary folder in", environment["TMPDIR"] ?? "/tmp")
        }
        let folder = template.withUnsafeBufferPointer { buffer in
            buffer.baseAddress.map { String(cString: $0) } ?? ""
        }
        do {
            try copyDatabases(to: folder)
        } catch {
            try? FileManager.default.removeItem(atPath: folder)
            throw error
        }
        return folder
    }

    private func copyDatabases(to folder: String) throws {
        for database in StoreCheck.databases {
            for suffix in ["", "-wal", RecoveredDatabase.finishedSuffix] {
                let path = "\(directory)/\(database.name)\(suffix)"
                guard FileFacts.size(path) > 0 else { continue }
                try SafeCopy.requireRoom(
                    3 * FileFacts.size(path), beside: folder + "/x", to: "look at a copy")
                try SafeCopy.copy(path, to: "\(folder)/\(database.name)\(suffix)")
            }
        }
    }

    /// What a killed daemon left that is worth nothing: packs on their way, its socket.
    private func removeLeftovers() {
        let temporary = FileFacts.names(directory + "/tmp").filter { $0.hasPrefix(".tmp-") }
        if !temporary.isEmpty {
            if !report.isDryRun {
                for name in temporary { storage_unlink("\(directory)/tmp/\(name)") }
            }
            report.add(
                .repaired, "tmp", "\(temporary.count) packs were on their way when a daemon ended",
                "they are removed; nobody was told that they are stored")
        }
        var status = stat()
        guard lstat(socket, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK,
            !isBound(socket), ListeningSocket.isStale(socket)
        else { return }
        if !report.isDryRun { unlink(socket) }
        report.add(.repaired, "socket", "nobody listens on \(socket)", "it is removed")
    }

    /// Whether somebody is known to listen there; asked first, because a question to the socket
    /// itself would wake whoever starts the daemon on it. Other network namespaces are not seen.
    private func isBound(_ socket: String) -> Bool {
        guard let list = try? String(contentsOfFile: "/proc/net/unix", encoding: .utf8) else {
            return true
        }
        return list.split(separator: "\n").contains { $0.hasSuffix(" " + socket) }
    }

    /// The log of a database that is gone would be taken for another's.
    private func keepStrayLogs(
        _ results: [String: DatabaseRecovery.Result], work: String, copies: SafeCopy
    ) throws {
        for (name, result) in results where result == .missing {
            let log = "\(work)/\(name)-wal"
            guard FileFacts.size(log) > 0 else { continue }
            try copies.move(log, to: "\(name)-wal")
            report.add(
                .lost, name, "its log is there without it",
                "the log is kept in \(copies.folder)")
        }
    }

    // MARK: Catalog and packs

    private func recoverCatalog(
        _ result: DatabaseRecovery.Result, work: String, copies: SafeCopy
    ) async throws {
        guard result != .hopeless else { return }
        if result == .missing {
            report.add(
                .lost, "catalog.db", "it is missing",
                "experiments, runs, the registry and its ledger are gone unless catalog.db is "
                    + "restored from a backup; the index of the packs is made anew")
        }
        let backend = try SQLiteBackend(path: work + "/catalog.db", readers: 1)
        do {
            let catalog = CatalogStore(backend: backend, clock: SystemClock())
            try await catalog.prepare()
            let artifacts = ArtifactStore(
                backend: try BuiltinStorage.artifacts(
                    settings, stateDirectory: directory, environment: environment,
                    keepingTemporaryFiles: true),
                index: backend, clock: SystemClock(), logger: Self.silence)
            try await artifacts.prepare()
            try await comparePacks(artifacts, copies: copies)
            try await checkContents(catalog, artifacts)
            while try await catalog.backfill() != nil {}
            let ledger = try await catalog.read { try $0.verifyLedger() }
            if ledger.firstBad > 0 {
                report.add(
                    .lost, "ledger", ledger.finding,
                    "a ledger is never repaired: restore catalog.db from a backup, or keep it as "
                        + "it is and say why")
            }
        } catch {
            try? await backend.close()
            throw error
        }
        try await backend.close()
    }

    /// What cannot be read of one database does not keep the other from being looked at.
    private func goingOn(_ name: String, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as LinajeError where error.code == .corrupt {
            report.add(
                .lost, name, error.message,
                "what follows in it was not looked at; restore it from a backup or report this")
        }
    }

    private func comparePacks(_ artifacts: ArtifactStore, copies: SafeCopy) async throws {
        let found = try await artifacts.reconcile()
        let kinds: [(packs: [PackName], problem: String, action: String)] = [
            (found.entered, "packs that the index does not know", "they are entered"),
            (found.corrected, "packs that the index knows only in part", "they are entered anew"),
        ]
        for (packs, problem, action) in kinds where !packs.isEmpty {
            report.add(
                .repaired, "packs", "\(packs.count) \(problem)", action,
                affected: packs.map(\.key))
        }
        if !found.missing.isEmpty {
            report.add(
                .lost, "packs", "\(found.missing.count) packs are gone",
                "the index has forgotten them, so that their files can be uploaded again; or "
                    + "restore them and run this again", affected: found.missing.map(\.key))
        }
        for damage in found.damaged {
            guard settings.backend == .filesystem else {
                report.add(
                    .lost, "packs", damage.finding, "left in the bucket: replace or remove it",
                    affected: [damage.pack])
                continue
            }
            if !report.isDryRun { try copies.move("\(directory)/\(damage.pack)", to: damage.pack) }
            report.add(
                .lost, "packs", damage.finding, "it is moved to \(copies.folder)",
                affected: [damage.pack])
        }
        for pack in found.unreadable {
            report.add(
                .lost, "packs", pack.finding, "left as it is: look at the disk, run this again",
                affected: [pack.pack])
        }
        for pack in found.tooNew {
            report.add(
                .lost, "packs", pack.finding, "left as it is: update linajed",
                affected: [pack.pack])
        }
    }

    /// Names what lacks content.
    private func checkContents(_ catalog: CatalogStore, _ artifacts: ArtifactStore) async throws {
        var affected: [String] = []
        var first = ""
        for (tree, owners) in try await catalog.read({ try $0.contents() }) {
            do {
                try await artifacts.requireComplete(tree, claiming: false)
            } catch let error as LinajeError
                where [.incomplete, .notFound, .corrupt].contains(error.code)
            {
                if first.isEmpty { first = error.message }
                affected += owners
            }
        }
        guard !affected.isEmpty else { return }
        report.add(
            .lost, "artifacts", "\(affected.count) trees are incomplete (\(first))",
            "upload them again, restore the packs, or delete what refers to them",
            affected: affected)
    }

    // MARK: Metrics

    private func recoverMetrics(_ result: DatabaseRecovery.Result, work: String) async throws {
        guard result != .hopeless else { return }
        if result == .missing {
            report.add(
                .lost, "metrics.db", "it is missing",
                "the points of all runs are gone unless metrics.db is restored from a backup")
        }
        let backend = try SQLiteBackend(path: work + "/metrics.db", readers: 1)
        do {
            try await backend.migrate(MetricSchema.namespace, MetricSchema.migrations)
            let found = try await MetricInspection(backend: backend).run(
                rebuildingSummaries: result == .salvaged)
            if found.corrected > 0 {
                report.add(
                    .repaired, "metrics.db",
                    "\(found.corrected) writers did not fit their segments", "they are corrected")
            }
            if !found.losses.isEmpty {
                report.add(
                    .lost, "metrics.db", "\(found.losses.count) parts of metrics cannot be read",
                    "they are on record in metric_quarantine; the rest of each run is there",
                    affected: found.losses.map { "run \($0.run): \($0.finding)" })
            }
            if found.known > 0 {
                report.add(
                    .note, "metrics.db",
                    "\(found.known) losses of earlier recoveries are on record in "
                        + "metric_quarantine")
            }
            try await recoverRunLogs(backend)
        } catch {
            try? await backend.close()
            throw error
        }
        try await backend.close()
    }

    private func recoverRunLogs(_ backend: SQLiteBackend) async throws {
        try await backend.migrate(RunLogSchema.namespace, RunLogSchema.migrations)
        let found = try await RunLogInspection(backend: backend).run()
        if found.corrected > 0 {
            report.add(
                .repaired, "metrics.db", "\(found.corrected) run logs did not fit their chunks",
                "they are corrected")
        }
        if !found.losses.isEmpty {
            report.add(
                .lost, "metrics.db", "\(found.losses.count) parts of run logs cannot be read",
                "they are on record in run_log_quarantine; the rest of each log is there",
                affected: found.losses.map { "run \($0.run): \($0.finding)" })
        }
        if found.known > 0 {
            report.add(
                .note, "metrics.db",
                "\(found.known) losses of earlier recoveries are on record in run_log_quarantine")
        }
    }

    private static let silence = Logger(label: "linajed.recover") { _ in
        SwiftLogNoOpLogHandler()
    }
}
