import FoundationEssentials
import Glibc
import LinajeDomain

/// Writes predictions batch by batch: as a scoring server answers, `{"predictions": …}`, or as a CSV
/// file. A file appears whole, by rename.
struct PredictionWriter: ~Copyable {
    enum Format: String {
        case json, csv
    }

    private let format: Format
    private let path: String?
    /// The file while it is written; `nil`: standard output.
    private let descriptor: Int32?
    private let name: String
    private var bytes: [UInt8] = []
    private(set) var rows = 0
    private var batches = 0
    /// The names of the columns of what a library gave.
    private var columns: [String] = []
    /// What was given is no list: nothing can follow.
    private var isWhole = false
    private var isDone = false

    private var temporary: String { "\(path ?? "").linaje-\(getpid()).part" }

    /// - Parameters:
    ///   - path: The file; `nil`: standard output.
    ///   - name: What a single column is called.
    init(_ path: String?, format: Format, name: String?) throws {
        self.format = format
        self.path = path
        self.name = name ?? "predict"
        guard let path else {
            descriptor = nil
            return
        }
        let opened = open(
            "\(path).linaje-\(getpid()).part", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard opened >= 0 else {
            throw LinajeError(
                .readOnly, "\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
        descriptor = opened
    }

    deinit {
        guard let descriptor, !isDone else { return }
        close(descriptor)
        unlink(temporary)
    }

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
        guard let descriptor, let path else { return }
        guard fsync(descriptor) == 0, close(descriptor) == 0, rename(temporary, path) == 0 else {
            throw LinajeError(
                .readOnly, "\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
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
        guard let descriptor else { return Output.bytes(bytes) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                write(descriptor, raw.baseAddress.map { $0 + written }, raw.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw LinajeError(
                    .readOnly,
                    "\(path ?? "") cannot be written: \(String(cString: strerror(errno)))")
            }
            written += count
        }
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
