import FoundationEssentials
import LinajeDomain

/// Writes predictions batch by batch: as a scoring server answers, `{"predictions": …}`, or as a CSV
/// file. A file appears whole, by rename.
struct PredictionWriter: ~Copyable {
    enum Format: String {
        case json, csv
    }

    private let format: Format
    /// `nil`: standard output.
    private let file: ExportFile?
    private let name: String
    private var bytes: [UInt8] = []
    private(set) var rows = 0
    private var batches = 0
    /// The names of the columns of what a library gave.
    private var columns: [String] = []
    /// What was given is no list: nothing can follow.
    private var isWhole = false
    private var isDone = false

    /// - Parameters:
    ///   - path: The file; `nil`: standard output.
    ///   - name: What a single column is called.
    init(_ path: String?, format: Format, name: String?) throws {
        self.format = format
        self.name = name ?? "predict"
        file = try path.map { try ExportFile($0) }
    }

    deinit { if !isDone { file?.abandon() } }

    /// Adds the predictions of the next rows.
    mutating func add(_ predictions: Predictions) throws {
        switch (predictions, format) {
        case (.scored(let output), .json):
            for row in 0..<output.count { element(output.value(row)) }
        case (.scored(let output), .csv):
            if batches == 0 { line(output.columns) }
            for row in 0..<output.count { line(output.cells(row).map(Self.field)) }
            rows += output.count
        case (.answered(.array(let elements)), .json):
            for each in elements { element(each.plain) }
        case (.answered(let value), .json):
            guard batches == 0 else { throw Self.noList(value) }
            bytes += "{\"predictions\": ".utf8
            value.plain.write(to: &bytes)
            isWhole = true
        case (.answered(let value), .csv): try table(value)
        }
        batches += 1
        if bytes.count >= 1 << 20 { try flush() }
    }

    /// Everything has been added.
    mutating func finish() throws {
        if format == .json {
            if rows == 0, !isWhole { bytes += "{\"predictions\": [".utf8 }
            bytes += (isWhole ? "}\n" : "]}\n").utf8
        }
        try flush()
        try file?.finish()
        isDone = true
    }

    private mutating func element(_ value: JSONValue) {
        bytes += (rows == 0 ? "{\"predictions\": [" : ", ").utf8
        value.write(to: &bytes)
        rows += 1
    }

    // MARK: CSV

    /// A list of values, lists or objects, or an object of lists.
    private mutating func table(_ value: JSONNode) throws {
        switch value {
        case .array(let elements):
            if batches == 0 { begin(elements.first) }
            for each in elements { line(try fields(each)) }
            rows += elements.count
        case .object(let members):
            let lists = members.compactMap { member -> [JSONNode]? in
                if case .array(let list) = member.value { list } else { nil }
            }
            guard lists.count == members.count, Set(lists.map(\.count)).count <= 1 else {
                throw Self.noTable(value)
            }
            if batches == 0 { line(members.map(\.key)) }
            let count = lists.first?.count ?? 0
            for row in 0..<count { line(lists.map { Self.field($0[row].plain) }) }
            rows += count
        default: throw Self.noTable(value)
        }
    }

    private mutating func begin(_ first: JSONNode?) {
        columns =
            switch first {
            case .array(let cells)?: cells.indices.map { "\(name)_\($0)" }
            case .object(let members)?: members.map(\.key)
            default: [name]
            }
        line(columns)
    }

    private func fields(_ row: JSONNode) throws -> [String] {
        switch row {
        case .array(let cells) where cells.count == columns.count:
            return cells.map { Self.field($0.plain) }
        case .object(let members):
            let values = Dictionary(members.map { ($0.key, $0.value) }) { first, _ in first }
            return columns.map { Self.field(values[$0]?.plain ?? .null) }
        case .array: throw Self.noTable(row)
        default:
            guard columns.count == 1 else { throw Self.noTable(row) }
            return [Self.field(row.plain)]
        }
    }

    private static func field(_ value: JSONValue) -> String {
        switch value {
        case .null: return ""
        case .string(let text): return text
        case .double(let number) where number.isInfinite:
            return number > 0 ? "Infinity" : "-Infinity"
        default: return value.text
        }
    }

    private mutating func line(_ fields: [String]) {
        for (place, field) in fields.enumerated() {
            if place > 0 { bytes.append(UInt8(ascii: ",")) }
            // A single empty field would be an empty line.
            let mustQuote =
                field.utf8.contains { "\",\r\n".utf8.contains($0) }
                || (field.isEmpty && fields.count == 1)
            bytes +=
                mustQuote
                ? "\"\(field.replacing("\"", with: "\"\""))\"".utf8 : field.utf8
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    // MARK: Writing

    private mutating func flush() throws {
        defer { bytes.removeAll(keepingCapacity: true) }
        guard let file else { return Output.bytes(bytes) }
        try file.write(bytes)
    }

    private static func noList(_ value: JSONNode) -> LinajeError {
        LinajeError(
            .failedPrecondition,
            "the model gives \(value.kind), not a list, so batches of it cannot be put together; give "
                + "the rows as one JSON file")
    }

    private static func noTable(_ value: JSONNode) -> LinajeError {
        LinajeError(
            .failedPrecondition, "what the model gives is no table; write it as JSON: -o out.json")
    }
}
