package import LinajeDomain
package import LinajePluginKit

/// Looks things up in one consistent state of the catalog.
///
/// Valid only inside the closure that gets it. Methods that look for one thing throw `notFound`
/// naming it; lists come in pages with a token for the next one.
package struct CatalogReader {
    let connection: any SQLConnection
    /// What verdicts block where a model's own policy says nothing.
    let scanPolicy: ScanPolicy
    var dialect: SQLDialect { connection.dialect }

    package init(connection: any SQLConnection, scanPolicy: ScanPolicy = .standard) {
        self.connection = CheckedConnection(base: connection)
        self.scanPolicy = scanPolicy
    }
}

extension CatalogReader {
    /// Makes a page of `elements`, which are one more than asked for when there is a next page.
    ///
    /// A page also ends, short of its limit, when `weight` (bytes, roughly) adds up to
    /// `CatalogLimits.pageBytes`, so that an answer fits into a frame.
    func paged<Element: Sendable>(
        _ elements: [Element], _ page: Page, of list: PageToken.List,
        weight: (Element) -> Int = { _ in 0 }, key: (Element) -> [PageToken.Field]
    ) -> Paged<Element> {
        var count = 0
        var bytes = 0
        for element in elements.prefix(page.limit) {
            bytes += weight(element)
            guard count == 0 || bytes <= CatalogLimits.pageBytes else { break }
            count += 1
        }
        guard count < elements.count, count > 0 else { return Paged(elements) }
        let token = PageToken(list: list, fields: key(elements[count - 1]))
        return Paged(Array(elements[..<count]), nextPageToken: token.text)
    }
}

/// Bounds of the catalog's own on what a search may ask and a page may hold.
enum CatalogLimits {
    /// Most tags a search may ask for: each is one more condition of the statement.
    static let searchTags = 100
    /// Most ids a search may ask for.
    static let searchIDs = 1_000
    /// Bytes of texts after which a page ends early; half a frame leaves room for the rest.
    static let pageBytes = Limits.frameBytes / 2
    /// Most tensors that are kept of a model.
    static let tensors = 10_000
    /// Longest text of a stored JSON document in bytes.
    static let documentBytes = 16 << 20
    /// Most renames that a model's history is followed through.
    static let renames = 100
}

extension SQLRow {
    /// A moment in a column that ends in `_us`.
    func time(_ index: Int) throws -> Timestamp { Timestamp(microseconds: try int(index)) }

    /// A count that was stored from a `UInt64`.
    func count(_ index: Int) throws -> UInt64 {
        guard let value = UInt64(exactly: try int(index)) else {
            throw LinajeError(.corrupt, "database column \(index) holds a negative count")
        }
        return value
    }

    /// An id, or `nil` for NULL.
    func id<ID: Identifier>(_ index: Int) throws -> ID? {
        isNull(index) ? nil : try requiredID(index)
    }

    /// An id that must be there.
    func requiredID<ID: Identifier>(_ index: Int) throws -> ID {
        ID(bytes: try bytes16(index) { try ID(try blob(index)).bytes })
    }

    /// The 16 bytes of a column, or what `otherwise` makes of others.
    func bytes16(_ index: Int, otherwise: () throws -> Bytes16) throws -> Bytes16 {
        var found: Bytes16?
        try readBlob(index) { found = Bytes16($0) }
        guard let found else { return try otherwise() }
        return found
    }

    /// A digest, or `nil` for NULL.
    func digest(_ index: Int) throws -> SHA256Digest? {
        isNull(index) ? nil : try requiredDigest(index)
    }

    /// A digest that must be there.
    func requiredDigest(_ index: Int) throws -> SHA256Digest {
        guard let digest = SHA256Digest(try blob(index)) else {
            throw LinajeError(.corrupt, "database column \(index) does not hold a digest")
        }
        return digest
    }

    /// A value of an enumeration stored as text.
    func choice<Value: RawRepresentable<String>>(_ index: Int) throws -> Value {
        let text = try text(index)
        guard let value = Value(rawValue: text) else {
            throw LinajeError(
                .corrupt, "database column \(index) holds \"\(text)\", which is no \(Value.self)")
        }
        return value
    }
}

extension SQLValue {
    /// The bytes of an id.
    static func id(_ id: some Identifier) -> SQLValue { .blob(id.array) }

    /// The bytes of an id, NULL for `nil`.
    static func id<ID: Identifier>(_ id: ID?) -> SQLValue { .optional(id?.array) }

    /// Microseconds.
    static func time(_ time: Timestamp) -> SQLValue { .integer(time.microseconds) }

    /// The bytes of a digest, NULL for `nil`.
    static func digest(_ digest: SHA256Digest?) -> SQLValue { .optional(digest?.bytes) }

    /// A count. - Throws: `limitExceeded` when a database has no room for it.
    static func count(_ count: UInt64, of noun: String) throws -> SQLValue {
        guard let value = Int64(exactly: count) else {
            throw LinajeError(
                .limitExceeded, "\(noun) is \(count); at most \(Int64.max) is allowed")
        }
        return .integer(value)
    }
}
