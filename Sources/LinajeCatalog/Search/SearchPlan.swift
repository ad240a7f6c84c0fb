import Crypto
import LinajeDomain
import LinajePluginKit

/// What is searched for.
package struct Search {
    var table: SearchTable
    var filter: Filter
    /// Conditions that the language has no words for.
    var more: [SQLText] = []
    var order: [SortKey] = []
    var page: Page
}

/// Chooses how a search is answered and writes its statements.
///
/// The parts of the filter that an index answers are counted, up to a bound: if one of them finds few
/// rows, those are looked at and sorted; if all find many, the list is walked in its order and
/// tested row by row until the page is full. Either way the rows read are near those found.
struct SearchPlan {
    /// A part of the filter that must hold.
    struct Part {
        var filter: Filter
        var condition: SQLText
        /// A query for its rows, if an index answers it.
        var set: SQLText?
        /// How many rows it finds at most, up to the bound.
        var estimate: Int?
    }

    /// Rows of a part that are taken one by one rather than walking the list in order.
    static let fewRows = 2_000
    /// Rows up to which parts are counted before a search is counted.
    static let countedRows = 20_000

    let search: Search
    let order: SearchOrder
    private(set) var parts: [Part]
    private let compiler: FilterCompiler

    init(_ search: Search, _ dialect: SQLDialect) throws {
        self.search = search
        let compiler = FilterCompiler(search.table, dialect)
        self.compiler = compiler
        order = try SearchOrder(search.order, search.table, dialect)
        parts = try search.filter.conjuncts.map { filter in
            Part(
                filter: filter, condition: try compiler.condition(filter),
                set: try compiler.set(filter))
        }
    }

    /// Counts what the parts find, each up to a bound. Once few rows are found, another part is only
    /// of use if it finds far fewer: counting those of every part takes longer than looking at them.
    mutating func estimate(_ connection: any SQLConnection, upTo most: Int) throws {
        var bound = most
        for (index, part) in parts.enumerated() {
            guard let set = try compiler.set(part.filter, repeating: true) else { continue }
            let count =
                "SELECT COUNT(*) FROM (" + set + SQLText(" LIMIT ?", [.integer(Int64(bound))])
                + ") s"
            let found =
                try connection.first(count.sql, count.arguments) {
                    Int(clamping: try $0.int(0))
                } ?? 0
            guard found < bound else {
                if bound == most { parts[index].estimate = most }
                continue
            }
            parts[index].estimate = found
            bound = max(1, found / 8)
        }
    }

    /// The statement for the rows of a phase, with the columns of its order after the id.
    func rows(_ phase: SearchOrder.Phase, after values: [SQLValue]?, limit: Int) -> SQLText {
        var statement = SQLText("SELECT \(search.table.id)")
        for column in phase.columns { statement = statement + ", \(column.expression)" }
        statement += source(phase, driver: driver(below: Self.fewRows))
        var conditions = conditions(phase, without: driver(below: Self.fewRows))
        if let values { conditions.append(phase.after(values)) }
        return statement + conditions.whereClause + phase.orderClause
            + SQLText(" LIMIT ?", [.integer(Int64(limit))])
    }

    /// How runs are counted when a part of the filter finds few of them; `nil` when none does, and
    /// for anything but runs.
    func countOfFewRuns() throws -> RunCount? {
        guard search.table.name == SearchTable.runs.name,
            let driver = driver(below: Self.countedRows),
            let candidates = try compiler.set(parts[driver].filter, repeating: true)
        else { return nil }
        var count = RunCount(candidates: candidates, parts: [], conditions: search.more)
        for (index, part) in parts.enumerated() where index != driver {
            guard part.isOfOtherTable, let set = try compiler.set(part.filter, repeating: true)
            else {
                count.conditions.append(part.condition)
                continue
            }
            count.parts.append(RunCount.Part(set: set, condition: part.condition))
        }
        return count
    }

    /// The statement that counts everything found.
    func count() -> SQLText {
        let driver = driver(below: Int.max)
        let phase = SearchOrder.Phase(conditions: [], columns: [])
        let few = (driver.flatMap { parts[$0].estimate } ?? Int.max) < Self.countedRows
        var conditions = search.more
        if driver != nil { conditions.append(SQLText("\(search.table.id) = d.id")) }
        for (index, part) in parts.enumerated() where index != driver {
            // A set is gathered as a whole; unless all parts find many rows, it is cheaper to look up
            // those of the smallest that pass the cheap tests.
            guard !few, let set = part.set, part.isOfOtherTable else {
                conditions.append(part.condition)
                continue
            }
            conditions.append("\(search.table.id) IN (" + set + ")")
        }
        return "SELECT COUNT(*)" + source(phase, driver: driver, isSorted: few, joins: false)
            + conditions.whereClause
    }

    /// What a page token is for: the same question in the same order.
    var fingerprint: [UInt8] {
        var text = search.filter.description + "\u{0}"
        for key in search.order { text += key.description + "\u{0}" }
        for more in search.more { text += "\(more.sql) \(more.arguments)\u{0}" }
        return Array(SHA256.hash(data: Array(text.utf8)).prefix(8))
    }

    /// The part with the fewest rows, if they are fewer than `bound`.
    private func driver(below bound: Int) -> Int? {
        let counted = parts.indices.compactMap { index in
            parts[index].estimate.map { (index: index, estimate: $0) }
        }
        guard let best = counted.min(by: { $0.estimate < $1.estimate }), best.estimate < bound
        else { return nil }
        return best.index
    }

    /// CROSS JOIN keeps SQLite to the order of the tables.
    ///
    /// - Parameter isSorted: hand on what the driver finds by id, so that what is looked up for it lies
    ///   side by side. The limit keeps SQLite from leaving the order out.
    private func source(
        _ phase: SearchOrder.Phase, driver: Int?, isSorted: Bool = false, joins: Bool = true
    ) -> SQLText {
        let name = search.table.name
        var source = SQLText(" FROM ")
        if let driver, let set = parts[driver].set {
            let all = SQLText(" ORDER BY id LIMIT ?", [.integer(.max)])
            source += "(" + set + (isSorted ? all : SQLText("")) + ") d CROSS JOIN \(name)"
            if let walked = phase.walked { source = source + " CROSS JOIN \(walked)" }
        } else if let walked = phase.walked {
            source = source + "\(walked) CROSS JOIN \(name)"
        } else {
            source = source + name
        }
        return joins ? source + order.joins : source
    }

    private func conditions(_ phase: SearchOrder.Phase, without driver: Int?) -> [SQLText] {
        var conditions = phase.conditions
        if driver != nil { conditions.append(SQLText("\(search.table.id) = d.id")) }
        conditions += search.more
        for (index, part) in parts.enumerated() where index != driver {
            // A test on the metric that is walked along looks at the row at hand.
            if let column = phase.valueColumn, case .test(.metric(let key), let test) = part.filter,
                key.utf8.elementsEqual((order.metric ?? "").utf8), !test.isNullTest
            {
                conditions.append(compiler.test.metric(column, test))
            } else {
                conditions.append(part.condition)
            }
        }
        return conditions
    }
}

extension SearchPlan.Part {
    /// Whether its rows are found in another table than the one searched.
    fileprivate var isOfOtherTable: Bool {
        switch filter {
        case .test(.attribute, _): false
        default: true
        }
    }
}

extension FilterTest {
    fileprivate var isNullTest: Bool {
        if case .isNull = self { true } else { false }
    }
}

extension Filter {
    /// The parts that must all hold.
    var conjuncts: [Filter] {
        guard case .all(let parts) = self else { return [self] }
        return parts.flatMap(\.conjuncts)
    }

    /// This filter, and another one.
    func and(_ other: Filter) -> Filter { .all(conjuncts + other.conjuncts) }

    /// Whether it looks at a metric anywhere.
    package var usesMetrics: Bool {
        switch self {
        case .all(let parts), .any(let parts): parts.contains(where: \.usesMetrics)
        case .not(let part): part.usesMetrics
        case .test(.metric, _): true
        case .test: false
        }
    }
}

extension [SortKey] {
    /// Whether one of them is a metric.
    var useMetrics: Bool {
        contains { if case .metric = $0.field { true } else { false } }
    }
}
