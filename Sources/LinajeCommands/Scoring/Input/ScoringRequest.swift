import LinajeDomain

/// Rows to be scored.
struct ScoringTable: Sendable, Equatable {
    /// `nil`: the values are known by their place.
    var columns: [String]?
    /// Each as long as the columns.
    var rows: [[JSONNode]]
    /// A list of single values was given, not of rows of one.
    var isFlat = false

    /// Values of a row.
    var width: Int { columns?.count ?? rows.first?.count ?? 0 }
}

/// What was sent to be scored, in one of the forms of MLflow's scoring protocol (MLflow 3,
/// `pyfunc/scoring_server`).
struct ScoringRequest: Sendable, Equatable {
    enum Data: Sendable, Equatable {
        case table(ScoringTable)
        /// Lists in lists, of more than two dimensions.
        case tensor(JSONNode)
    }

    /// The forms by their key; a request has one of them.
    static let forms = ["dataframe_split", "dataframe_records", "instances", "inputs"]

    var data: Data
    /// Params of the model; `nil`: none.
    var params: JSONNode?

    init(data: Data, params: JSONNode? = nil) {
        self.data = data
        self.params = params
    }

    /// - Throws: `invalidArgument` saying what is wrong, with the row.
    init(parsing body: [UInt8]) throws {
        let root = try JSONNodeParser.parse(body)
        guard case .object = root else {
            throw LinajeError(
                .invalidArgument,
                "the input is \(root.kind); give an object with one of the keys \(Self.shownForms)")
        }
        let members = try root.members(of: "the input")
        let found = Self.forms.filter { members[$0] != nil }
        guard found.count == 1, let form = found.first, let value = members[form] else {
            let has =
                found.isEmpty
                ? "the keys \(members.keys.sorted().prefix(8).joined(separator: ", "))"
                : found.joined(separator: " and ")
            throw LinajeError(
                .invalidArgument,
                "the input has \(members.isEmpty ? "no keys" : has); give exactly one of "
                    + "\(Self.shownForms)")
        }
        if let params = members["params"], params != .null {
            guard case .object = params else {
                throw LinajeError(.invalidArgument, "params is \(params.kind), not an object")
            }
            self.params = params
        }
        data =
            switch form {
            case "dataframe_split": .table(try Self.split(value))
            case "dataframe_records": .table(try ScoringRecords(value, form).table())
            case "instances": try Self.instances(value)
            default: try Self.inputs(value)
            }
    }

    private static let shownForms = forms.joined(separator: ", ")

    /// {"columns": […], "data": [[…], …]}, with an "index" that does not matter here.
    private static func split(_ value: JSONNode) throws -> ScoringTable {
        let members = try value.members(of: "dataframe_split")
        guard case .array(let data)? = members["data"] else {
            throw LinajeError(.invalidArgument, "dataframe_split has no list \"data\"")
        }
        var columns: [String]?
        if let named = members["columns"], named != .null {
            guard case .array(let names) = named else {
                throw LinajeError(.invalidArgument, "dataframe_split: columns is no list")
            }
            columns = try names.map { name in
                switch name {
                case .string(let text): text
                // What pandas calls columns without names.
                case .int(let number): String(number)
                default:
                    throw LinajeError(
                        .invalidArgument, "dataframe_split: a column's name is \(name.kind)")
                }
            }
        }
        return try table(columns, data, "dataframe_split: data")
    }

    private static func table(
        _ columns: [String]?, _ data: [JSONNode], _ noun: String
    ) throws -> ScoringTable {
        var width = columns?.count
        let rows = try data.enumerated().map { place, row in
            guard case .array(let values) = row else {
                throw LinajeError(
                    .invalidArgument, "\(noun), row \(place + 1) is \(row.kind), not a list")
            }
            guard values.count == width ?? values.count else {
                throw LinajeError(
                    .invalidArgument,
                    "\(noun), row \(place + 1) has \(values.count) values where \(width ?? 0) belong"
                )
            }
            width = values.count
            return values
        }
        return ScoringTable(columns: columns, rows: rows)
    }

    /// A list of rows, objects, single values or tensors.
    private static func instances(_ value: JSONNode) throws -> Data {
        guard case .array(let elements) = value else {
            throw LinajeError(.invalidArgument, "instances is \(value.kind), not a list")
        }
        if case .object? = elements.first {
            return .table(try ScoringRecords(value, "instances").table())
        }
        return try lists(elements, whole: value, "instances")
    }

    /// {column: [value, …], …}, or what instances may be.
    private static func inputs(_ value: JSONNode) throws -> Data {
        switch value {
        case .array(let elements):
            if case .object? = elements.first {
                return .table(try ScoringRecords(value, "inputs").table())
            }
            return try lists(elements, whole: value, "inputs")
        case .object(let members):
            _ = try value.members(of: "inputs")
            return .table(try columns(members))
        default:
            throw LinajeError(
                .invalidArgument, "inputs is \(value.kind), not a list or an object of lists")
        }
    }

    private static func columns(_ members: [JSONNode.Member]) throws -> ScoringTable {
        var values: [[JSONNode]] = []
        for member in members {
            // A single value is a column of one row.
            if case .array(let column) = member.value {
                values.append(column)
            } else {
                values.append([member.value])
            }
        }
        let count = values.first?.count ?? 0
        for (place, column) in values.enumerated() where column.count != count {
            throw LinajeError(
                .invalidArgument,
                "inputs: column \"\(members[place].key)\" has \(column.count) values where "
                    + "\"\(members[0].key)\" has \(count)")
        }
        let rows = (0..<count).map { row in values.map { $0[row] } }
        return ScoringTable(columns: members.map(\.key), rows: rows)
    }

    private static func lists(
        _ elements: [JSONNode], whole: JSONNode, _ noun: String
    ) throws -> Data {
        guard case .array(let first)? = elements.first else {
            guard !elements.contains(where: \.isNested) else {
                throw LinajeError(.invalidArgument, "\(noun) mixes values and lists or objects")
            }
            return .table(
                ScoringTable(columns: nil, rows: elements.map { [$0] }, isFlat: true))
        }
        if first.contains(where: \.isNested) { return .tensor(whole) }
        return .table(try table(nil, elements, noun))
    }
}

extension JSONNode {
    fileprivate var isNested: Bool {
        switch self {
        case .array, .object: true
        default: false
        }
    }
}
