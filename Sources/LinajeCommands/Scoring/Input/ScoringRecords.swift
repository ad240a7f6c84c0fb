import LinajeDomain

/// Rows that were given as objects, [{column: value, …}, …]: a key that a row lacks is missing in it.
struct ScoringRecords {
    /// Cells that a table may have however few of them were given.
    static let freeCells = 1 << 16
    /// Cells that it may have for each value that was given.
    static let cellsPerValue = 4

    private let form: String
    private let records: [JSONNode]
    /// In the order in which they first came.
    private var columns: [String] = []
    private var places: [String: Int] = [:]

    /// Finds the columns.
    ///
    /// - Parameter form: The key that it stands under, for errors.
    /// - Throws: `invalidArgument` for what is no list of objects; `limitExceeded` where rows of other
    ///   keys each would make a table of far more cells than values.
    init(_ value: JSONNode, _ form: String) throws {
        guard case .array(let records) = value else {
            throw LinajeError(.invalidArgument, "\(form) is \(value.kind), not a list")
        }
        self.form = form
        self.records = records
        var values = 0
        for (number, record) in records.enumerated() {
            guard case .object(let members) = record else {
                throw LinajeError(
                    .invalidArgument, "\(form), row \(number + 1) is \(record.kind), not an object")
            }
            values += members.count
            for (position, member) in members.enumerated()
            where !isColumn(member.key, at: position) && places[member.key] == nil {
                places[member.key] = columns.count
                columns.append(member.key)
            }
        }
        // Before any row is filled up: what is missing takes as much room as what is there.
        let most = max(Self.freeCells, Self.cellsPerValue * values + records.count)
        guard columns.count <= most / max(1, records.count) else {
            throw LinajeError(
                .limitExceeded,
                "\(form) has \(columns.count) columns in \(records.count) rows, and only \(values) values; "
                    + "send rows of the same columns together")
        }
    }

    /// - Throws: `invalidArgument` for a row with a key twice.
    func table() throws -> ScoringTable {
        // The last row, from 1, that had a value in each column.
        var filled = [Int](repeating: 0, count: columns.count)
        let rows = try records.enumerated().map { number, record in
            var row = [JSONNode](repeating: .null, count: columns.count)
            guard case .object(let members) = record else { return row }
            for (position, member) in members.enumerated() {
                let place = isColumn(member.key, at: position) ? position : places[member.key]
                guard let place else { continue }
                guard filled[place] <= number else {
                    throw LinajeError(
                        .invalidArgument,
                        "\(form), row \(number + 1) has the key \"\(member.key)\" twice")
                }
                filled[place] = number + 1
                row[place] = member.value
            }
            return row
        }
        return ScoringTable(columns: columns, rows: rows)
    }

    /// Rows mostly have the same keys in the same order.
    private func isColumn(_ key: String, at position: Int) -> Bool {
        position < columns.count && columns[position] == key
    }
}
