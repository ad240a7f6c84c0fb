import LinajeDomain
import LinajePluginKit

/// Copies what can still be read of a damaged database, table by table, row by row, into a new one
/// that has the same schema.
///
/// Rows are read in the order of their row numbers. Where a page cannot be read, the next row that
/// can be is searched for, then the rows before it that can be read from the other side.
public struct SQLiteSalvage {
    /// What became of a table.
    public struct Outcome: Sendable, Hashable {
        public var table: String
        /// Rows in the new database.
        public var copied: Int
        /// Row numbers that could not be read or did not fit, as "12" or "12 to 40".
        public var gaps: [String]
        /// Rows of the gaps, named by their key, as far as an index still knows them.
        public var lost: [Key]
        /// Whether the index could be read to its end, so that `lost` names all of them.
        public var isExact: Bool

        /// Whether nothing is lost: what stands in the gaps may be numbers that no row has.
        public var isWhole: Bool { isExact && lost.isEmpty }
    }

    /// The key of a lost row: column and value.
    public struct Key: Sendable, Hashable {
        public var columns: [String]
        public var values: [SQLValueText]
    }

    /// A value as text: bytes as hex digits.
    public typealias SQLValueText = String

    private let damaged: SQLiteFile
    private let fresh: SQLiteFile

    public init(from damaged: SQLiteFile, to fresh: SQLiteFile) {
        self.damaged = damaged
        self.fresh = fresh
    }

    /// Whether the damaged file still says what tables it has.
    public func canBegin() -> Bool {
        (try? damaged.first("SELECT COUNT(*) FROM sqlite_schema") { try $0.int(0) }) ?? nil != nil
    }

    /// The tables of the new database that rows are copied into.
    public func tables() throws -> [String] {
        try fresh.all(
            """
            SELECT name FROM sqlite_schema
            WHERE type = 'table' AND name NOT GLOB 'sqlite_*'
                AND name NOT GLOB 'linaje_*' ORDER BY name
            """
        ) { try $0.text(0) }
    }

    /// Copies one table.
    ///
    /// - Throws: `storageFull`, `storageFailed` of the new database; never because of damage.
    public func copy(_ table: String) throws -> Outcome {
        var copy = TableCopy(table: table)
        copy.columns = try columns(of: table, in: fresh)
        let old = (try? columns(of: table, in: damaged)) ?? []
        // A table, or a column, that came later holds nothing.
        copy.columns.removeAll { !old.contains($0) }
        guard !copy.columns.isEmpty else {
            return Outcome(table: table, copied: 0, gaps: [], lost: [], isExact: true)
        }
        try fresh.transaction { try copyRows(&copy) }
        let (lost, isExact) = try lostKeys(of: &copy)
        return Outcome(
            table: table, copied: copy.copied, gaps: copy.gaps, lost: lost, isExact: isExact)
    }

    // MARK: Rows

    private struct TableCopy {
        let table: String
        var columns: [String] = []
        var copied = 0
        var gaps: [String] = []

        mutating func addGap(_ first: Int64, _ last: Int64) {
            guard first <= last else { return }
            gaps.append(first == last ? "\(first)" : "\(first) to \(last)")
        }
    }

    private func copyRows(_ copy: inout TableCopy) throws {
        var at: Int64 = 0
        while let stop = try copyRun(&copy, from: at, through: .max, descending: false) {
            // The first row number that cannot be read is `stop` or comes after it.
            guard let next = nextReadable(copy.table, after: stop) else {
                copy.gaps.append("\(stop) to the last")
                return
            }
            // From the far side, up to the damage.
            let reached =
                try copyRun(&copy, from: stop, through: next - 1, descending: true) ?? stop - 1
            copy.addGap(stop, reached)
            at = next
        }
    }

    /// Copies rows in order until one cannot be read.
    ///
    /// - Returns: the first row number that was not reached; `nil` when all were.
    private func copyRun(
        _ copy: inout TableCopy, from low: Int64, through high: Int64, descending: Bool
    ) throws -> Int64? {
        let list = copy.columns.map { "\"\($0)\"" }.joined(separator: ", ")
        let marks = Array(repeating: "?", count: copy.columns.count + 1).joined(separator: ", ")
        let insert = "INSERT INTO \"\(copy.table)\" (rowid, \(list)) VALUES (\(marks))"
        let count = copy.columns.count
        var next = descending ? high : low
        var failure: LinajeError?
        do {
            try damaged.query(
                """
                SELECT rowid, \(list) FROM "\(copy.table)" NOT INDEXED
                WHERE rowid >= ? AND rowid <= ? ORDER BY rowid \(descending ? "DESC" : "ASC")
                """, [.integer(low), .integer(high)]
            ) { row in
                let id = try row.int(0)
                guard descending ? id <= next : id >= next else {
                    // A damaged page, whose rows are out of order: going on from here could go in
                    // circles.
                    copy.addGap(id, id)
                    return
                }
                do {
                    try fresh.execute(insert, [.integer(id)] + (1...count).map { row[$0] })
                    copy.copied += 1
                } catch let error as LinajeError {
                    guard Self.isOfTheRow(error) else {
                        failure = error
                        throw error
                    }
                    copy.addGap(id, id)
                }
                next = descending ? id - 1 : (id == .max ? id : id + 1)
            }
        } catch {
            // Of the new database: no damage, but the end of the attempt.
            if let failure { throw failure }
            return next
        }
        return nil
    }

    /// The first row number after `low` from which on a row can be read: looked for in growing
    /// steps, then by halving the last of them. Steps stay small for long, so that what can be read
    /// between two damages is found.
    private func nextReadable(_ table: String, after low: Int64) -> Int64? {
        var unreadable = low
        var step: Int64 = 1
        var looks = 0
        while true {
            let (probe, overflow) = unreadable.addingReportingOverflow(step)
            guard !overflow else { return nil }
            if var readable = firstRow(table, from: probe) {
                var high = probe
                while high - unreadable > 1 {
                    let middle = unreadable + (high - unreadable) / 2
                    if let found = firstRow(table, from: middle) {
                        (high, readable) = (middle, found)
                    } else {
                        unreadable = middle
                    }
                }
                return readable
            }
            unreadable = probe
            looks += 1
            guard step < Self.smallStep || looks > Self.smallSteps else { continue }
            let (doubled, isTooLarge) = step.multipliedReportingOverflow(by: 2)
            guard !isTooLarge else { return nil }
            step = doubled
        }
    }

    private static let smallStep: Int64 = 16
    private static let smallSteps = 4_096

    private func firstRow(_ table: String, from low: Int64) -> Int64? {
        let found = try? damaged.first(
            "SELECT rowid FROM \"\(table)\" NOT INDEXED WHERE rowid >= ? ORDER BY rowid LIMIT 1",
            [.integer(low)]
        ) { try $0.int(0) }
        guard let found = found ?? nil, found >= low else { return nil }
        return found
    }

    /// Whether the new database refused one row, which the damage has made nonsense.
    private static func isOfTheRow(_ error: LinajeError) -> Bool {
        [.conflict, .internalError, .limitExceeded].contains(error.code)
    }

    // MARK: Keys

    private func columns(of table: String, in file: SQLiteFile) throws -> [String] {
        try file.all("SELECT name FROM pragma_table_info(?)", [.text(table)]) { try $0.text(0) }
    }

    /// The keys of rows that an index knows and that cannot be had: each is tried alone once more.
    private func lostKeys(of copy: inout TableCopy) throws -> (keys: [Key], isExact: Bool) {
        guard !copy.gaps.isEmpty, let index = uniqueIndex(of: copy.table) else {
            return ([], copy.gaps.isEmpty)
        }
        let list = index.columns.map { "\"\($0)\"" }.joined(separator: ", ")
        let table = copy.table
        var missing: [(row: SQLValue, key: Key)] = []
        var isExact = true
        var failure: (any Error)?
        do {
            try damaged.query(
                "SELECT rowid, \(list) FROM \"\(table)\" INDEXED BY \"\(index.name)\"", []
            ) { row in
                do {
                    guard try !isCopied(row[0], table) else { return }
                } catch {
                    failure = error
                    throw error
                }
                let values = (0..<index.columns.count).map { Self.text(row[$0 + 1]) }
                missing.append((row[0], Key(columns: index.columns, values: values)))
            }
        } catch {
            if let failure { throw failure }
            isExact = false
        }
        let lost = try fresh.transaction {
            try missing.compactMap { row, key -> Key? in
                guard case .integer(let id) = row else { return key }
                _ = try copyRun(&copy, from: id, through: id, descending: false)
                return try isCopied(row, table) ? nil : key
            }
        }
        return (lost, isExact)
    }

    private func isCopied(_ row: SQLValue, _ table: String) throws -> Bool {
        try fresh.first("SELECT 1 FROM \"\(table)\" WHERE rowid = ?", [row]) { _ in true } != nil
    }

    /// The unique index with most columns: it says most about a row.
    private func uniqueIndex(of table: String) -> (name: String, columns: [String])? {
        let names =
            (try? damaged.all(
                "SELECT name FROM pragma_index_list(?) WHERE \"unique\" = 1", [.text(table)]
            ) { try $0.text(0) }) ?? []
        return names.compactMap { name -> (name: String, columns: [String])? in
            let columns =
                (try? damaged.all("SELECT name FROM pragma_index_info(?)", [.text(name)]) {
                    try $0.text(0)
                }) ?? []
            return columns.isEmpty ? nil : (name, columns)
        }.max { $0.columns.count < $1.columns.count }
    }

    private static func text(_ value: SQLValue) -> String {
        switch value {
        case .null: "NULL"
        case .integer(let number): String(number)
        case .real(let number): "\(number)"
        case .text(let text): text
        case .blob(let bytes): Hex.encode(bytes)
        }
    }
}
