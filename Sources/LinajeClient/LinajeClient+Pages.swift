public import LinajeDomain

/// A page of a list that has come and whose entries are not read yet.
public struct UnreadPage<Element: Sendable>: Sendable {
    /// Empty on the last page.
    public let nextPageToken: String
    private let read: @Sendable () throws -> Paged<Element>

    init(nextPageToken: String, read: @Sendable @escaping () throws -> Paged<Element>) {
        self.nextPageToken = nextPageToken
        self.read = read
    }

    /// A page that is read already.
    public init(_ page: Paged<Element>) {
        self.init(nextPageToken: page.nextPageToken) { page }
    }

    /// Reads it.
    ///
    /// - Throws: `badMessage`, and what is wrong with an entry.
    public func page() throws -> Paged<Element> { try read() }
}

extension LinajeClient {
    /// Every element of a list, page by page.
    ///
    /// - Parameter most: stop after that many; `nil`: never.
    public func all<Element>(
        most: Int? = nil, _ list: @escaping @Sendable (Page) async throws -> Paged<Element>
    ) async throws -> [Element] {
        var found: [Element] = []
        try await eachPage(most: most, { UnreadPage(try await list($0)) }) { found += $0 }
        return found
    }

    /// Hands over a list page by page. The next page is asked for before one is read, so that the
    /// daemon works on it meanwhile.
    ///
    /// - Parameter most: stop after that many elements; `nil`: never.
    public func eachPage<Element>(
        most: Int? = nil, _ list: @escaping @Sendable (Page) async throws -> UnreadPage<Element>,
        _ body: ([Element]) throws -> Void
    ) async throws {
        var left = max(0, most ?? .max)
        var asked = min(Limits.pageEntries, max(1, left))
        var current = try await list(Page(limit: asked, token: ""))
        while true {
            let token = current.nextPageToken
            guard !token.isEmpty, left > asked else {
                let elements = try current.page().elements.prefix(left)
                left -= elements.count
                try body(Array(elements))
                guard !token.isEmpty, left > 0 else { return }
                asked = min(Limits.pageEntries, left)
                current = try await list(Page(limit: asked, token: token))
                continue
            }
            let following = min(Limits.pageEntries, left - asked)
            async let next = list(Page(limit: following, token: token))
            // What a daemon sends above what was asked for may not be wanted.
            let elements = try current.page().elements.prefix(left)
            left -= elements.count
            try body(Array(elements))
            guard left > 0 else { return }
            asked = following
            current = try await next
        }
    }
}
