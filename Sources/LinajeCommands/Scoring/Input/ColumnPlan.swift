import LinajeDomain
import LinajePluginKit

/// Which columns of what was given go where, and what their values must be.
struct ColumnPlan: Sendable {
    /// A column that is taken.
    struct Source: Sendable, Equatable {
        /// Its place in the row that was given.
        var place: Int
        var rule: ColumnRule
    }

    /// In the order in which the model takes them; `nil`: an optional one that is not there.
    private(set) var sources: [Source?] = []
    /// What they are called; `nil`: they have no names.
    private(set) var names: [String]?
    /// Columns that were given and are ignored.
    private(set) var ignored: [String] = []

    /// What a signature takes.
    ///
    /// - Parameters:
    ///   - columns: The names of what was given, or `nil`.
    ///   - count: How many columns were given.
    /// - Throws: `invalidArgument` naming all that is missing.
    init(schema: [InputSchema.Column], columns: [String]?, count: Int) throws {
        let wanted = schema.compactMap(\.name)
        guard wanted.count == schema.count, let columns else {
            guard count >= schema.count else {
                throw LinajeError(
                    .invalidArgument,
                    "the model wants \(schema.count) columns, and \(count) were given")
            }
            sources = schema.enumerated().map { place, column in
                let name = column.name ?? columns?[place] ?? String(place)
                return Source(place: place, rule: ColumnRule(name: name, type: column.type))
            }
            names = wanted.count == schema.count ? wanted : columns.map { Array($0.prefix(count)) }
            if let given = names, given.count > schema.count {
                names = Array(given.prefix(schema.count))
            }
            ignored = (schema.count..<count).map { columns?[$0] ?? "number \($0 + 1)" }
            return
        }
        let found = try Self.find(wanted, in: columns)
        let missing = schema.compactMap { column in
            column.name.flatMap { found[$0] == nil && column.isRequired ? $0 : nil }
        }
        guard missing.isEmpty else { throw Self.missing(missing, of: "signature", columns) }
        // An optional column that is not there is none to the library, too.
        let present = schema.filter { $0.name.map { found[$0] != nil } ?? false }
        names = present.compactMap(\.name)
        sources = present.map { column in
            column.name.flatMap { name in
                found[name].map {
                    Source(place: $0, rule: ColumnRule(name: name, type: column.type))
                }
            }
        }
        let known = Set(wanted)
        ignored = columns.filter { !known.contains($0) }
    }

    /// What a scorer takes, of a model with this signature.
    init(
        layout: ScorerLayout, schema: InputSchema?, columns: [String]?, count: Int
    ) throws {
        if let wanted = schema?.columns {
            self = try ColumnPlan(layout: layout, schema: wanted, columns: columns, count: count)
            return
        }
        let features = layout.features
        // Names that are all there are meant, made up by a library or not.
        let found = try columns.map { try Self.find(features, in: $0) } ?? [:]
        if let columns, found.count == features.count || Self.hasOwnNames(layout, schema) {
            let missing = features.filter { found[$0] == nil }
            guard missing.isEmpty else { throw Self.missing(missing, of: "features", columns) }
            sources = features.map { name in
                found[name].map {
                    Source(place: $0, rule: ColumnRule(name: name, type: Self.type(of: schema)))
                }
            }
            let known = Set(features)
            ignored = columns.filter { !known.contains($0) }
            return
        }
        guard count == features.count else { throw Self.otherCount(features.count, count) }
        sources = (0..<count).map { place in
            Source(
                place: place,
                rule: ColumnRule(
                    name: columns?[place] ?? features[place], type: Self.type(of: schema)))
        }
    }

    /// What a scorer takes, of a model whose signature has columns: everything that the signature
    /// asks for is asked for first, and then put in the order of the features.
    private init(
        layout: ScorerLayout, schema: [InputSchema.Column], columns: [String]?, count: Int
    ) throws {
        let features = layout.features
        let whole = try ColumnPlan(schema: schema, columns: columns, count: count)
        ignored = whole.ignored
        let names = schema.compactMap(\.name)
        if names.count == schema.count {
            guard let order = Self.order(features, layout.hasNames, in: names) else {
                throw LinajeError(
                    .failedPrecondition,
                    "the signature has \(names.count) columns that are not the model's "
                        + "\(features.count) features; score it by its library: --engine python")
            }
            let byName = Dictionary(
                zip(whole.names ?? [], whole.sources), uniquingKeysWith: { first, _ in first })
            sources = order.map { byName[$0] ?? nil }
            return
        }
        // A signature without names has no order of its own that could speak against given ones.
        let found = try Self.find(features, in: layout.hasNames ? whole.names ?? [] : [])
        if found.count == features.count {
            sources = features.map { name in found[name].flatMap { whole.sources[$0] } }
            return
        }
        guard whole.sources.count == features.count else {
            throw Self.otherCount(features.count, whole.sources.count)
        }
        sources = whole.sources
    }

    /// Why values as a signature has them are no numbers to a scorer; `nil`: they are.
    static func obstacle(_ schema: InputSchema?) -> String? {
        switch schema {
        case nil: return nil
        case .columns(let columns):
            return columns.firstIndex { !$0.type.isNumeric }.map { place in
                let column = columns[place]
                let name = column.name.map { "column \"\($0.prefix(80))\"" } ?? "a column"
                return "the signature has \(name) of type \(column.type.name), which is no number"
            }
        case .tensors(let tensors):
            if tensors.count == 1, tensors[0].shape.count == 2 { return nil }
            return schema?.columns == nil
                ? "the signature has tensors that are neither one matrix nor columns" : nil
        }
    }

    /// Places that are filled with what is missing, for each row.
    var missing: Int { sources.count(where: { $0 == nil }) }

    /// Whether the names of features were given by whoever made the model, and must be there: a
    /// signature of one matrix says that it has columns without names.
    private static func hasOwnNames(_ layout: ScorerLayout, _ schema: InputSchema?) -> Bool {
        layout.hasNames && !areNumbered(layout.features) && schema == nil
    }

    /// The columns of a signature in the order of the features: by their names where the features
    /// are named after them, else by their place. `nil`: neither is possible.
    private static func order(
        _ features: [String], _ hasNames: Bool, in names: [String]
    ) -> [String]? {
        let known = Set(names)
        if hasNames, features.allSatisfy(known.contains) { return features }
        guard features.count == names.count, !hasNames || areNumbered(features) else { return nil }
        return names
    }

    /// Names that a library has made up: "Column_0" (LightGBM), "f0" (XGBoost).
    private static func areNumbered(_ features: [String]) -> Bool {
        ["Column_", "f"].contains { prefix in
            features.enumerated().allSatisfy { $1 == "\(prefix)\($0)" }
        }
    }

    private static func type(of schema: InputSchema?) -> ColumnType {
        guard case .tensors(let tensors)? = schema else { return .unknown }
        return tensors.first?.type ?? .unknown
    }

    /// Where the names are; those that are not there are left out.
    private static func find(_ names: [String], in columns: [String]) throws -> [String: Int] {
        let wanted = Set(names)
        var found: [String: Int] = [:]
        for (place, column) in columns.enumerated() where wanted.contains(column) {
            guard found.updateValue(place, forKey: column) == nil else {
                throw LinajeError(
                    .invalidArgument, "column \"\(column)\" is there more than once; rename one",
                    details: ["column": column])
            }
        }
        return found
    }

    private static func missing(
        _ names: [String], of what: String, _ columns: [String]
    ) -> LinajeError {
        LinajeError(
            .invalidArgument,
            "\(names.count == 1 ? "column" : "columns") \(some(names)) of the model's \(what) "
                + "\(names.count == 1 ? "is" : "are") missing; found \(some(columns)); give all "
                + "columns by name, in any order",
            details: ["column": names.first ?? ""])
    }

    private static func otherCount(_ wanted: Int, _ found: Int) -> LinajeError {
        LinajeError(
            .invalidArgument,
            "the model has \(wanted) features, and \(found) columns were given; give all of them in "
                + "the model's order, or by name")
    }

    private static func some(_ names: [String]) -> String {
        let shown = names.prefix(8).map { "\"\($0)\"" }.joined(separator: ", ")
        return names.isEmpty ? "none" : shown + (names.count > 8 ? ", …" : "")
    }
}

extension ColumnPlan {
    /// The values of a table as a scorer takes them.
    func numbers(of table: ScoringTable) throws -> [Double] {
        var out: [Double] = []
        out.reserveCapacity(table.rows.count * sources.count)
        for (number, row) in table.rows.enumerated() {
            for source in sources {
                out.append(
                    try source.map { try $0.rule.number(of: row[$0.place], row: number + 1) }
                        ?? .nan)
            }
        }
        return out
    }

    /// The rows of a table as a library takes them.
    func rows(of table: ScoringTable) throws -> [[JSONNode]] {
        try table.rows.enumerated().map { number, row in
            try sources.map { source in
                try source.map { try $0.rule.checked(row[$0.place], row: number + 1) } ?? .null
            }
        }
    }
}
