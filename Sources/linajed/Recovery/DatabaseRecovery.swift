import Glibc
import LinajeDomain
import LinajePluginKit
import SQLiteBackend

/// Makes one database file sound again, whatever its tables mean.
struct DatabaseRecovery {
    /// What is known of the file afterwards.
    enum Result {
        /// Nothing was wrong that matters, or it was put right without loss.
        case sound
        /// What could be read is in a new file.
        case salvaged
        /// It was not there.
        case missing
        /// Nothing of it can be read; it was left as it is.
        case hopeless
    }

    let name: String
    /// Where the file is that is looked at and changed: in a dry run, a copy.
    let path: String
    let migrations: [(namespace: String, steps: [SQLMigration])]
    let copies: SafeCopy
    let report: RecoveryReport

    func run(rewriting: Bool) async throws -> Result {
        if try RecoveredDatabase.finish(path) {
            report.add(.repaired, name, "an earlier repair was interrupted", "it is finished")
        }
        if RecoveredDatabase.removeUnfinished(path) {
            report.add(
                .repaired, name, "an earlier repair did not come to its end", "begun anew")
        }
        guard FileFacts.size(path) > 0 else { return .missing }
        let log = FileFacts.size(path + "-wal")
        let problems = examine()
        let result: Result
        if problems.isEmpty {
            if log > 0 { try open().takeInLog() }
            if rewriting { try rewrite() }
            result = .sound
        } else {
            result = try await repair(problems, rewriting: rewriting)
        }
        if log > 0, result != .hopeless {
            report.add(
                .repaired, name, "a daemon that did not stop in order left a log of \(log) bytes",
                "its commits are taken into the database")
        }
        return result
    }

    /// What is wrong with the file.
    private func examine() -> [String] {
        do {
            return try SQLiteFile(path, for: .look).problems()
        } catch {
            return [(error as? LinajeError)?.message ?? "\(error)"]
        }
    }

    private func open() throws -> SQLiteFile { try SQLiteFile(path, for: .repair) }

    private func repair(_ problems: [String], rewriting: Bool) async throws -> Result {
        report.say("\(name): damaged: \(problems[0])")
        report.say("    a copy is kept in \(copies.folder) before it is changed")
        let copy = try copies.keep(database: path)
        if (try? open().reindex()) != nil, examine().isEmpty {
            try open().takeInLog()
            report.add(
                .repaired, name, "an index did not fit its table (\(problems[0]))",
                "all indexes were made anew from their tables; the copy still has what only an "
                    + "index knew")
            if rewriting { try rewrite() }
            return .sound
        }
        return try await salvage(from: copy, problems)
    }

    private func rewrite() throws {
        guard try !open().canShrinkInSteps() else { return }
        _ = try copies.keep(database: path)
        try SafeCopy.requireRoom(2 * FileFacts.size(path), beside: path, to: "rewrite")
        try open().rewrite()
        report.add(.repaired, name, "it could not be shrunk in steps", "it was rewritten")
    }

    // MARK: Salvage

    private func salvage(from copy: String, _ problems: [String]) async throws -> Result {
        let target = RecoveredDatabase.unfinished(path)
        RecoveredDatabase.removeUnfinished(path)
        do {
            try SafeCopy.requireRoom(FileFacts.size(path), beside: path, to: "make a new copy")
            let backend = try SQLiteBackend(path: target, readers: 1)
            for (namespace, steps) in migrations { try await backend.migrate(namespace, steps) }
            try await backend.close()
            guard let outcomes = try copyTables(from: copy, to: target) else {
                RecoveredDatabase.removeUnfinished(path)
                report.add(
                    .lost, name, "nothing of it can be read (\(problems[0]))",
                    "restore it from a backup; or move it away and run this again to begin with "
                        + "an empty one")
                return .hopeless
            }
            tell(outcomes, problems)
        } catch {
            RecoveredDatabase.removeUnfinished(path)
            throw error
        }
        try RecoveredDatabase.exchange(path)
        return .salvaged
    }

    private func copyTables(from copy: String, to target: String) throws
        -> [SQLiteSalvage.Outcome]?
    {
        // The copy is read, so that the damaged file stays as it is until the exchange.
        guard let damaged = try? SQLiteFile(copy, for: .look) else { return nil }
        let fresh = try SQLiteFile(target, for: .repair)
        try fresh.writeWithoutSyncing()
        let salvage = SQLiteSalvage(from: damaged, to: fresh)
        guard salvage.canBegin() else { return nil }
        let outcomes = try salvage.tables().map { try salvage.copy($0) }
        // What is derived from other rows is derived again, whatever was lost of it.
        try fresh.execute("UPDATE linaje_backfills SET place = '', done = 0, finished = 0")
        return outcomes
    }

    private func tell(_ outcomes: [SQLiteSalvage.Outcome], _ problems: [String]) {
        let rows = outcomes.reduce(0) { $0 + $1.copied }
        report.add(
            .repaired, name, "pages are damaged (\(problems[0]))",
            "\(rows) rows were copied into a new database; the old one is in \(copies.folder)")
        for outcome in outcomes where !outcome.isWhole {
            let keys = outcome.lost.map { key in
                "\(outcome.table) "
                    + zip(key.columns, key.values).map { "\($0)=\($1)" }.joined(separator: " ")
            }
            let count =
                outcome.isExact ? "\(outcome.lost.count) rows" : "an unknown number of rows"
            report.add(
                .lost, name,
                "table \(outcome.table) lost \(count) (row numbers "
                    + outcome.gaps.prefix(20).joined(separator: ", ")
                    + (outcome.gaps.count > 20 ? " and \(outcome.gaps.count - 20) more" : "") + ")",
                "restore a backup if they matter", affected: keys)
        }
    }
}
