extension Filter: CustomStringConvertible {
    /// The filter in full: read again, it is the same one.
    public var description: String {
        switch self {
        case .all(let parts) where parts.isEmpty: ""
        case .all(let parts): parts.map(\.inside).joined(separator: " AND ")
        case .any(let parts): parts.map(\.inside).joined(separator: " OR ")
        case .not(let part): "NOT " + part.inside
        case .test(let field, let test): "\(field) \(test)"
        }
    }

    /// The filter as a part of another one.
    private var inside: String {
        switch self {
        case .all, .any: "(\(description))"
        case .not, .test: description
        }
    }
}

extension SearchField: CustomStringConvertible {
    public var description: String {
        switch self {
        case .metric(let key): "metrics.\(Self.quoted(key))"
        case .param(let key): "params.\(Self.quoted(key))"
        case .tag(let key): "tags.\(Self.quoted(key))"
        case .attribute(let attribute): "attributes.\(attribute.rawValue)"
        case .dataset(let attribute): "datasets.\(attribute.rawValue)"
        }
    }

    private static func quoted(_ key: String) -> String {
        "`" + key.replacing("\\", with: "\\\\").replacing("`", with: "``") + "`"
    }
}

extension FilterTest: CustomStringConvertible {
    public var description: String {
        switch self {
        case .compare(let comparison, let literal): "\(comparison.rawValue) \(literal)"
        case .oneOf(let literals, let isNegated):
            (isNegated ? "NOT IN (" : "IN (")
                + literals.map(\.description).joined(separator: ", ") + ")"
        case .like(let pattern, let ignoresCase, let isNegated):
            (isNegated ? "NOT " : "") + (ignoresCase ? "ILIKE " : "LIKE ")
                + FilterLiteral.text(pattern).description
        case .isNull(let isNegated): isNegated ? "IS NOT NULL" : "IS NULL"
        }
    }
}

extension FilterLiteral: CustomStringConvertible {
    public var description: String {
        switch self {
        case .text(let text):
            "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "''") + "'"
        case .number(let number): "\(number)"
        case .integer(let number): "\(number)"
        case .time(let moments) where moments.count == 1:
            "'\(Timestamp(microseconds: moments.lowerBound).text)'"
        case .time(let moments): "\(moments.lowerBound / 1_000)"
        }
    }
}

extension SortKey: CustomStringConvertible {
    public var description: String { "\(field) \(isDescending ? "DESC" : "ASC")" }
}
