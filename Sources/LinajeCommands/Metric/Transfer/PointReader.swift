import LinajeDomain

/// Reads the points of a file, as its bytes come, see `PointFormat`. Columns and fields may stand in any
/// order, `time_us` may be there instead of `timestamp`, and `run_id` may be missing.
struct PointReader: Sendable {
    /// What a row or object may have.
    private enum Name: String, CaseIterable {
        case run = "run_id"
        case key, step, timestamp, value
        case model = "model_id"
        case dataset
        case digest = "dataset_digest"

        static let count = allCases.count

        var place: Int {
            switch self {
            case .run: 0
            case .key: 1
            case .step: 2
            case .timestamp: 3
            case .value: 4
            case .model: 5
            case .dataset: 6
            case .digest: 7
            }
        }
    }

    /// What a row has by the place of the name among all: a dictionary costs more than the rest.
    private struct Values {
        private var all = [(text: String, column: Int)?](repeating: nil, count: Name.count)

        subscript(name: Name) -> (text: String, column: Int)? {
            get { all[name.place] }
            set { all[name.place] = newValue }
        }
    }

    private let format: PointFormat
    private var rows = CSVReader()
    private var lines = LineSplitter()
    private var line = 0
    /// The columns of a CSV file, once its header was read.
    private var columns: [Name?]?
    private var isAtBeginning = true
    /// The names of the last point, of which the next has mostly the same.
    private var known: (texts: [String], run: RunID?, series: MetricSeries)?

    init(_ format: PointFormat) { self.format = format }

    /// Takes in more bytes and hands on the points that are whole.
    ///
    /// - Throws: `invalidArgument` saying what is wrong in which line and column; what `body` throws.
    mutating func take(_ bytes: [UInt8], _ body: (PointRow) throws -> Void) throws {
        var bytes = bytes
        if isAtBeginning, !bytes.isEmpty {
            isAtBeginning = false
            // The mark that some programs put before UTF-8.
            if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
        }
        switch format {
        case .csv:
            var reader = rows
            try reader.take(bytes) { try take($0, body) }
            rows = reader
        case .jsonl:
            for one in try lines.take(bytes) { try take(line: Array(one), body) }
        }
    }

    /// The file is over.
    mutating func finish(_ body: (PointRow) throws -> Void) throws {
        switch format {
        case .csv:
            var reader = rows
            try reader.finish { try take($0, body) }
            guard columns != nil else {
                throw wrongPoint(line: 1, column: 1, "file is empty; it needs a header")
            }
        case .jsonl: try take(line: lines.finish(), body)
        }
    }

    // MARK: CSV

    private mutating func take(
        _ row: [CSVReader.Field], _ body: (PointRow) throws -> Void
    ) throws {
        guard let columns else {
            self.columns = try Self.header(row)
            return
        }
        let at = row.last ?? CSVReader.Field(line: 1, column: 1)
        guard row.count == columns.count else {
            throw wrongPoint(
                line: at.line, column: at.column,
                "row has \(row.count) fields; its header has \(columns.count)")
        }
        var values = Values()
        for (field, name) in zip(row, columns) {
            guard let name else { continue }
            values[name] = (try Self.text(field), field.column)
        }
        try body(try point(values, line: row[0].line))
    }

    private static func header(_ row: [CSVReader.Field]) throws -> [Name?] {
        var names: [Name?] = []
        for field in row {
            let text = try text(field)
            guard let name = Name(rawValue: text == "time_us" ? "timestamp" : text),
                !names.contains(name)
            else {
                throw wrongPoint(
                    line: field.line, column: field.column,
                    "column \"\(printable(text))\" is not known, or there twice; columns are "
                        + Name.allCases.map(\.rawValue).joined(separator: ", "))
            }
            names.append(name)
        }
        for name in [Name.key, .step, .timestamp, .value] where !names.contains(name) {
            throw wrongPoint(
                line: row[0].line, column: 1, "header has no column \"\(name.rawValue)\"")
        }
        return names
    }

    private static func text(_ field: CSVReader.Field) throws -> String {
        guard let text = String(validating: field.bytes, as: UTF8.self) else {
            throw wrongPoint(line: field.line, column: field.column, "field is no UTF-8")
        }
        return text
    }

    // MARK: JSON lines

    private mutating func take(
        line bytes: [UInt8], _ body: (PointRow) throws -> Void
    ) throws {
        line += 1
        guard bytes.contains(where: { !" \t\r".utf8.contains($0) }) else { return }
        let fields: [FlatJSON.Field]
        do {
            fields = try FlatJSON.fields(bytes)
        } catch let error as LinajeError {
            let place = error.details["position"].flatMap { Int($0) } ?? 0
            throw wrongPoint(line: line, column: Self.column(place, bytes), error.message)
        }
        var values = Values()
        for field in fields {
            let column = Self.column(field.place, bytes)
            let name = Name(rawValue: field.name == "time_us" ? "timestamp" : field.name)
            guard let name, values[name] == nil else {
                throw wrongPoint(
                    line: line, column: column,
                    "\"\(printable(field.name))\" is not known, or there twice; fields are "
                        + Name.allCases.map(\.rawValue).joined(separator: ", "))
            }
            switch (field.value, name) {
            case (.null, _): break
            case (.number(let text), .step), (.number(let text), .timestamp),
                (.number(let text), .value), (.string(let text), _):
                values[name] = (text, column)
            default:
                throw wrongPoint(
                    line: line, column: column, "\(name.rawValue) has a value of another kind")
            }
        }
        for name in [Name.key, .step, .timestamp, .value] where values[name] == nil {
            throw wrongPoint(line: line, column: 1, "object has no \"\(name.rawValue)\"")
        }
        try body(try point(values, line: line))
    }

    private static func column(_ place: Int, _ bytes: [UInt8]) -> Int {
        1 + bytes.prefix(max(0, place)).reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
    }

    // MARK: A point

    private mutating func point(_ values: Values, line: Int) throws -> PointRow {
        func text(_ name: Name) -> String { values[name]?.text ?? "" }
        func column(_ name: Name) -> Int { values[name]?.column ?? 1 }
        func whole(_ name: Name) throws -> Int64 {
            guard let number = Int64(text(name)) else {
                throw wrongPoint(
                    line: line, column: column(name),
                    "\(name.rawValue) \"\(printable(text(name)))\" is no whole number of 64 bits")
            }
            return number
        }
        let texts = [text(.run), text(.key), text(.model), text(.dataset), text(.digest)]
        let names: (run: RunID?, series: MetricSeries)
        if let known, known.texts == texts {
            names = (known.run, known.series)
        } else {
            let run = try at(line, column(.run)) {
                try texts[0].isEmpty ? nil : RunID(parsing: texts[0][...])
            }
            let model = try at(line, column(.model)) {
                try texts[2].isEmpty ? nil : LoggedModelID(parsing: texts[2][...])
            }
            let series = MetricSeries(
                key: texts[1], modelID: model, datasetName: texts[3], datasetDigest: texts[4])
            try at(line, column(.key)) { try series.check() }
            names = (run, series)
            known = (texts, run, series)
        }
        let point = MetricPoint(
            step: try whole(.step), time: try whole(.timestamp),
            value: try Self.double(text(.value), line, column(.value)))
        return PointRow(run: names.run, series: names.series, point: point)
    }

    private static func double(_ text: String, _ line: Int, _ column: Int) throws -> Double {
        guard let value = FlatJSON.double(text) else {
            throw wrongPoint(
                line: line, column: column, "value \"\(printable(text))\" is no number")
        }
        guard !value.isInfinite || text.utf8.contains(where: { "nN".utf8.contains($0) }) else {
            throw wrongPoint(
                line: line, column: column, "value \(printable(text)) is too large for a double")
        }
        return value
    }

    /// Says where an error is.
    private func at<Value>(
        _ line: Int, _ column: Int, _ body: () throws -> Value
    ) throws -> Value {
        do {
            return try body()
        } catch let error as LinajeError {
            throw wrongPoint(line: line, column: column, error.message)
        }
    }
}

extension MetricSeries {
    /// - Throws: what the daemon would say of it.
    fileprivate func check() throws {
        _ = try MetricBatch(
            sequence: 1, series: [self], seriesIndex: [],
            columns: MetricColumns(steps: [0], times: [0], values: [0]))
    }
}
