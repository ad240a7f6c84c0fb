import LinajeDomain
import LinajePluginKit

/// How runs are counted when one part of the filter finds few of them: its runs are kept in memory,
/// the other parts are walked along their indexes to mark those that they find, too, and what else is
/// asked is looked up for the runs that are left.
///
/// To look one run up in a table of params or tags means to read two or three pages of the database
/// from anywhere; in the same time some rows of an index are walked that lie side by side.
struct RunCount {
    /// A part of the filter that an index answers.
    struct Part {
        /// A query for the ids of the runs that pass, which may come more than once.
        var set: SQLText
        /// The same as a condition on a run.
        var condition: SQLText
    }

    /// Rows of an index that are walked rather than look one run up.
    static let rowsPerLookUp = 8
    /// Runs that one statement looks up.
    static let lookedUpAtOnce = 1_000

    /// A query for the runs of the smallest part.
    var candidates: SQLText
    /// The other parts that an index answers.
    var parts: [Part]
    /// What is asked besides.
    var conditions: [SQLText]

    /// Counts the runs.
    func count(_ connection: any SQLConnection) throws -> UInt64 {
        var marks = RunMarks()
        try connection.query(candidates.sql, candidates.arguments) { marks.add(try Self.id($0)) }
        var conditions = conditions
        for part in parts {
            let limit = marks.count * Self.rowsPerLookUp
            let walk = Self.walk(part, limit: limit)
            var walked = 0
            marks.begin()
            try connection.query(walk.sql, walk.arguments) { row in
                walked += 1
                marks.mark(try Self.id(row))
            }
            if walked < limit {
                marks.keepMarked()
            } else {
                conditions.append(part.condition)
            }
        }
        var count: UInt64 = 0
        var rest = marks.runs[...]
        while !rest.isEmpty {
            let looked = Self.lookUp(rest.prefix(Self.lookedUpAtOnce), conditions)
            count += try connection.first(looked.sql, looked.arguments) { try $0.count(0) } ?? 0
            rest = rest.dropFirst(Self.lookedUpAtOnce)
        }
        return count
    }

    /// The statements, as they are for some run, to be explained.
    var statements: [SQLText] {
        let limit = Int(Int32.max)
        return [candidates] + parts.map { Self.walk($0, limit: limit) }
            + [Self.lookUp([Bytes16(high: 0, low: 0)], conditions)]
    }

    private static func walk(_ part: Part, limit: Int) -> SQLText {
        "SELECT id FROM (" + part.set + SQLText(") s LIMIT ?", [.integer(Int64(limit))])
    }

    /// In the order of their ids, so that what is looked up lies near to what was before.
    private static func lookUp(
        _ runs: ArraySlice<Bytes16>, _ conditions: [SQLText]
    ) -> SQLText {
        let ids = SQLText(
            "runs.id IN (\(placeholders(runs.count)))", runs.map { .blob($0.array) })
        return "SELECT COUNT(*) FROM runs" + ([ids] + conditions).whereClause
    }

    private static func id(_ row: any SQLRow) throws -> Bytes16 {
        try row.bytes16(0) { try RunID(try row.blob(0)).bytes }
    }
}

/// Runs, some of which are marked.
private struct RunMarks {
    /// Where each of the runs stands in `isMarked`.
    private var places: [Bytes16: Int] = [:]
    private var isMarked: [Bool] = []

    var count: Int { places.count }

    /// The runs in the order of their ids.
    var runs: [Bytes16] {
        places.keys.sorted { ($0.high, $0.low) < ($1.high, $1.low) }
    }

    mutating func add(_ run: Bytes16) {
        if places[run] == nil { places[run] = places.count }
    }

    /// Takes all marks away.
    mutating func begin() {
        isMarked = Array(repeating: false, count: places.count)
    }

    /// Marks a run if it is one of them.
    mutating func mark(_ run: Bytes16) {
        guard let place = places[run] else { return }
        isMarked[place] = true
    }

    /// Forgets the runs that are not marked.
    mutating func keepMarked() {
        let kept = places.filter { isMarked[$0.value] }.keys
        places = Dictionary(
            uniqueKeysWithValues: kept.enumerated().map { ($0.element, $0.offset) })
    }
}
