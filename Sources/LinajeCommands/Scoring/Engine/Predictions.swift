import LinajeDomain
import LinajePluginKit

/// What a model gave for a batch of rows.
enum Predictions: Sendable {
    /// One output of a scorer.
    case scored(ScoredOutput)
    /// What a library gave, in JSON.
    case answered(JSONNode)
}

/// One output of a scorer for some rows.
struct ScoredOutput: Sendable {
    private let output: ScorerOutput
    /// Where it begins in a row of values.
    private let offset: Int
    private let width: Int
    private let values: [Double]

    /// - Parameters:
    ///   - name: Which output; `nil`: the first.
    ///   - values: Row after row, all outputs.
    init(_ name: String?, of layout: ScorerLayout, values: [Double]) throws {
        let place = try Self.place(of: name, in: layout)
        output = layout.outputs[place]
        offset = layout.outputs[..<place].reduce(0) { $0 + $1.width }
        width = layout.width
        self.values = values
    }

    /// - Throws: `notFound` with the names that there are.
    static func place(of name: String?, in layout: ScorerLayout) throws -> Int {
        guard let name else { return 0 }
        guard let place = layout.outputs.firstIndex(where: { $0.name == name }) else {
            let names = layout.outputs.map { "\"\($0.name)\"" }.joined(separator: ", ")
            throw LinajeError(
                .notFound, "the model has no output \"\(name)\"; it has \(names)")
        }
        return place
    }

    var count: Int { values.count / width }

    /// The names of its columns where it is written as a table.
    var columns: [String] {
        output.isVector ? (0..<output.width).map { "\(output.name)_\($0)" } : [output.name]
    }

    /// What came out for a row: a value, or a list of them.
    func value(_ row: Int) -> JSONValue {
        let cells = cells(row)
        return output.isVector ? .array(cells) : cells.first ?? .null
    }

    /// The values that came out for a row.
    func cells(_ row: Int) -> [JSONValue] {
        let start = row * width + offset
        return values[start..<(start + output.width)].map(shown)
    }

    private func shown(_ value: Double) -> JSONValue {
        switch output.kind {
        case .float32, .float64: value.isNaN ? .null : .double(value)
        case .int64: Int64(exactly: value).map { .int($0) } ?? .double(value)
        case .boolean: .bool(value != 0)
        case .label:
            Int(exactly: value).flatMap { output.labels.indices.contains($0) ? $0 : nil }
                .map { .string(output.labels[$0]) } ?? .null
        }
    }
}

extension JSONNode {
    /// One part of what a library gave: a key of an object, or of each of a list of them.
    func output(_ name: String?) throws -> JSONNode {
        guard let name else { return self }
        switch self {
        case .object(let members):
            guard let member = members.first(where: { $0.key == name }) else {
                let names = members.map { "\"\($0.key)\"" }.joined(separator: ", ")
                throw LinajeError(
                    .notFound, "the model has no output \"\(name)\"; it has \(names)")
            }
            return member.value
        case .array(let rows): return .array(try rows.map { try $0.output(name) })
        default:
            throw LinajeError(
                .notFound, "the model has one output without a name, and none is \"\(name)\"")
        }
    }
}
