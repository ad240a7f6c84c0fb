/// What a caller says of a search: which objects, in which order, and what is wanted of them.
public struct SearchTerms: Sendable, Hashable {
    /// A filter as text (`Filter.parse`); empty: everything.
    public var filter: String
    /// Keys of the order as texts (`SortKey.parse`); none: the order of the list.
    public var order: [String]
    public var wish: SearchWish

    public init(filter: String = "", order: [String] = [], wish: SearchWish = .page) {
        self.filter = filter
        self.order = order
        self.wish = wish
    }
}

/// What is wanted of a search.
public enum SearchWish: Sendable, Hashable {
    /// A page of what it finds.
    case page
    /// How many it finds, on all pages.
    case count
    /// How a page, or the count, is found.
    case explanation(ofCount: Bool)
}

/// What a search says besides a page.
public struct SearchFacts: Sendable, Hashable {
    /// How many it finds, on all pages; `nil` unless that was wished for.
    public var count: UInt64?
    /// How it is answered, line by line; empty unless that was wished for.
    public var plan: [String]

    public init(count: UInt64? = nil, plan: [String] = []) {
        self.count = count
        self.plan = plan
    }
}
