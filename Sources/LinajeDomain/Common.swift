/// A label somebody put on an object.
public struct Tag: Sendable, Hashable, Codable {
    public var key: String
    public var value: String

    public init(key: String, value: String) {
        self.key = key
        self.value = value
    }

    /// - Throws: when the key or value breaks a bound.
    public func checked() throws -> Tag {
        Tag(key: try Names.key(key, of: "tag"), value: try Names.tagValue(value, key: key))
    }
}

/// Tags to set and keys to remove, applied together.
public struct TagChanges: Sendable, Hashable {
    public var set: [Tag]
    public var remove: [String]

    public init(set: [Tag] = [], remove: [String] = []) {
        self.set = set
        self.remove = remove
    }

    public var isEmpty: Bool { self.set.isEmpty && self.remove.isEmpty }
}

/// An input of a run, written once.
public struct Param: Sendable, Hashable {
    public var key: String
    public var value: ParamValue

    public init(key: String, value: ParamValue) {
        self.key = key
        self.value = value
    }
}

/// A param's value, with its type.
public enum ParamValue: Sendable, Hashable, CustomStringConvertible {
    case string(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)

    public var description: String {
        switch self {
        case .string(let text): text
        case .int(let number): String(number)
        case .double(let number): String(number)
        case .bool(let flag): String(flag)
        }
    }

    /// The same value of the same type; two NaN are the same value.
    public static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.int(let left), .int(let right)): left == right
        case (.double(let left), .double(let right)):
            left == right || (left.isNaN && right.isNaN)
        case (.bool(let left), .bool(let right)): left == right
        default: false
        }
    }
}

/// Whether an object is shown: deleting is soft until it is purged.
public enum Lifecycle: String, Sendable, Hashable, Codable {
    case active
    case deleted
}

/// Which part of a long list is wanted.
public struct Page: Sendable, Hashable {
    /// How many entries at most, 1 to `Limits.pageEntries`.
    public let limit: Int
    /// The token of the previous page; empty for the first.
    public let token: String

    /// - Parameter limit: 0 stands for `Limits.defaultPageEntries`.
    /// - Throws: `limitExceeded` for a limit out of bounds.
    public init(limit: Int = 0, token: String = "") throws {
        guard (0...Limits.pageEntries).contains(limit) else {
            throw LinajeError(
                .limitExceeded,
                "page of \(limit) entries is out of bounds; ask for 1 to \(Limits.pageEntries)")
        }
        self.limit = limit == 0 ? Limits.defaultPageEntries : limit
        self.token = token
    }
}

/// A part of a list, with the token of the next part.
public struct Paged<Element: Sendable>: Sendable {
    public var elements: [Element]
    /// Empty on the last page.
    public var nextPageToken: String
    /// What a search said besides.
    public var facts: SearchFacts

    public init(
        _ elements: [Element], nextPageToken: String = "", facts: SearchFacts = SearchFacts()
    ) {
        self.elements = elements
        self.nextPageToken = nextPageToken
        self.facts = facts
    }
}
