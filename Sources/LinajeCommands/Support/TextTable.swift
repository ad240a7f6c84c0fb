/// Rows of text in aligned columns, for people.
struct TextTable {
    /// On which side of a column the text stands.
    enum Side {
        case left, right
    }

    private let titles: [String]
    private let sides: [Side]
    private var rows: [[String]] = []

    init(_ columns: [(title: String, side: Side)]) {
        titles = columns.map { $0.title.uppercased() }
        sides = columns.map(\.side)
    }

    mutating func add(_ cells: [String]) { rows.append(cells.map { printable($0) }) }

    /// The lines, without white space at their ends.
    func lines(_ style: TextStyle) -> [String] {
        var widths = titles.map(\.count)
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) }
        }
        return [style.bold(line(titles, widths))] + rows.map { line($0, widths) }
    }

    /// Prints the table, or `empty` when it has no rows.
    func show(_ style: TextStyle, empty: String) {
        guard !rows.isEmpty else { return Output.line(style.dim(empty)) }
        for line in lines(style) { Output.line(line) }
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var out = ""
        for (index, cell) in cells.enumerated() {
            if index > 0 { out += "  " }
            let padding = String(repeating: " ", count: widths[index] - cell.count)
            switch sides[index] {
            case .right: out += padding + cell
            case .left: out += index == cells.count - 1 ? cell : cell + padding
            }
        }
        return out
    }
}

/// Names and values below each other, for one thing.
struct TextFields {
    private var fields: [(name: String, value: String)] = []

    /// Adds a field; one without a value is left out.
    mutating func add(_ name: String, _ value: String?) {
        guard let value, !value.isEmpty else { return }
        fields.append((name, printable(value)))
    }

    func lines(_ style: TextStyle) -> [String] {
        let width = fields.map(\.name.count).max() ?? 0
        return fields.map { field in
            let padding = String(repeating: " ", count: width - field.name.count)
            return style.bold(field.name) + padding + "  " + field.value
        }
    }

    func show(_ style: TextStyle) {
        for line in lines(style) { Output.line(line) }
    }
}
