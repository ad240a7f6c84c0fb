import LinajeDomain

extension S3Client {
    /// A part of an object, and how long the whole object is.
    struct Piece: Sendable {
        var bytes: [UInt8]
        var total: UInt64
    }

    /// Most objects that a list may have: of packs, 64 TiB.
    static let mostObjects = 4_000_000
    /// Most bytes of all its keys together; a pack's has 78.
    static let mostKeyBytes = 512 << 20
    /// Most pages in a row without an object that is ours.
    static let mostEmptyPages = 1_000

    /// What S3 says of an object.
    struct Facts: Sendable {
        var size: UInt64
        /// SHA-256 in base64, or that of its parts' SHA-256; without the number of parts.
        var checksum: String?
    }

    /// Bytes of an object; none where the range begins after its end.
    ///
    /// An answer that is not exactly what was asked for is asked for again.
    func read(_ key: String, _ range: Range<UInt64>) async throws -> Piece {
        var call = Call(verb: "read", method: "GET", key: key, understood: [404, 416])
        call.headers = [("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")]
        if configuration.checksums { call.headers.append(("x-amz-checksum-mode", "ENABLED")) }
        call.mostBytes = max(range.count, Self.mostAnswerBytes)
        var piece = Piece(bytes: [], total: 0)
        let answer = try await perform(call) { answer in
            if answer.status < 300 { piece = try Self.piece(answer, range) }
        }
        if answer.status == 404 { throw try await missing(call, answer) }
        return piece
    }

    /// Size and checksum of an object; `nil` when it is not there.
    func facts(_ key: String) async throws -> Facts? {
        var call = Call(verb: "look at", method: "HEAD", key: key, understood: [404])
        if configuration.checksums { call.headers = [("x-amz-checksum-mode", "ENABLED")] }
        let answer = try await perform(call)
        if answer.status == 404 {
            try await requireBucket()
            return nil
        }
        guard let size = answer.headers["content-length"].flatMap(UInt64.init) else {
            throw error(S3Failure(damaged: "the answer has no length"), call)
        }
        let checksum = answer.headers["x-amz-checksum-sha256"]?.prefix { $0 != "-" }
        return Facts(size: size, checksum: checksum.map(String.init))
    }

    /// All objects whose keys begin with `prefix`, page by page, in the order of the server.
    ///
    /// - Parameter pageKeys: objects of a page, at most 1,000.
    /// - Throws: for a list that does not come to an end as well.
    package func list(
        prefix: String, pageKeys: Int = 1_000
    ) async throws -> [(key: String, size: UInt64)] {
        var out: [(key: String, size: UInt64)] = []
        var token: String?
        var (keyBytes, emptyPages) = (0, 0)
        repeat {
            let before = out.count
            var call = Call(verb: "list", method: "GET")
            call.query = [
                ("list-type", "2"), ("encoding-type", "url"), ("max-keys", "\(pageKeys)"),
                ("prefix", endpoint.objectName(prefix)),
            ]
            if let token { call.query.append(("continuation-token", token)) }
            var page = ListPage()
            try await perform(call) { page = try ListPage($0.body) }
            for object in page.objects {
                // What no key can name is none of ours.
                guard let key = endpoint.key(of: object.name), key.hasPrefix(prefix) else {
                    continue
                }
                out.append((key, object.size))
                keyBytes += key.utf8.count
            }
            emptyPages = out.count > before ? 0 : emptyPages + 1
            guard page.next == nil || page.next != token, out.count <= Self.mostObjects,
                keyBytes <= Self.mostKeyBytes, emptyPages <= Self.mostEmptyPages
            else {
                throw error(S3Failure(damaged: "its list does not come to an end"), call)
            }
            token = page.next
        } while token != nil
        return out
    }

    /// Removes an object; one that is not there is no error.
    func remove(_ key: String) async throws {
        let call = Call(
            verb: "remove", method: "DELETE", key: key, isWrite: true, understood: [404])
        let answer = try await perform(call)
        if answer.status == 404 {
            let failure = S3Failure(answer)
            if failure.isMissingBucket { throw error(failure, call) }
        }
    }

    /// The error of a 404: the object, or the bucket itself.
    private func missing(_ call: Call, _ answer: HTTPTransport.Answer) async throws -> LinajeError {
        var failure = S3Failure(answer)
        if !failure.isMissingBucket, !failure.isMissingObject {
            try await requireBucket()
            failure.code = "NoSuchKey"
        }
        return error(failure, call)
    }

    /// - Throws: `S3Failure` for an answer that is not exactly those bytes.
    private static func piece(
        _ answer: HTTPTransport.Answer, _ range: Range<UInt64>
    ) throws -> Piece {
        let count = UInt64(answer.body.count)
        guard answer.status == 206 else {
            // The whole object, which is right only where the whole was asked for.
            guard range.lowerBound == 0, count <= UInt64(range.count) else {
                throw S3Failure(damaged: "the server does not give ranges of objects")
            }
            try compare(answer)
            return Piece(bytes: answer.body, total: count)
        }
        guard let said = answer.headers["content-range"].flatMap(ContentRange.init),
            said.first == range.lowerBound,
            said.last == min(range.upperBound, said.total) - 1, count == said.last - said.first + 1
        else {
            throw S3Failure(
                damaged: "\(count) bytes came (\(answer.headers["content-range"] ?? "no range")) "
                    + "where bytes \(range.lowerBound) to \(range.upperBound) were asked for")
        }
        if count == said.total { try compare(answer) }
        return Piece(bytes: answer.body, total: said.total)
    }

    /// Compares a whole object with its checksum, where the server gives one.
    private static func compare(_ answer: HTTPTransport.Answer) throws {
        guard let checksum = answer.headers["x-amz-checksum-sha256"], !checksum.contains("-"),
            answer.headers["x-amz-checksum-type"] != "COMPOSITE"
        else { return }
        guard SignatureV4.sha256(answer.body).base64 == checksum else {
            throw S3Failure(damaged: "the bytes that came do not match the object's SHA-256")
        }
    }
}

/// "bytes 0-9/100".
private struct ContentRange {
    var first: UInt64
    var last: UInt64
    var total: UInt64

    init?(_ text: String) {
        guard text.hasPrefix("bytes ") else { return nil }
        let parts = text.dropFirst(6).split(separator: "/")
        guard parts.count == 2, let total = UInt64(parts[1]) else { return nil }
        let ends = parts[0].split(separator: "-")
        guard ends.count == 2, let first = UInt64(ends[0]), let last = UInt64(ends[1]),
            first <= last, last < total
        else { return nil }
        self.first = first
        self.last = last
        self.total = total
    }
}

/// One page of a list (ListObjectsV2).
package struct ListPage: Sendable {
    package var objects: [(name: String, size: UInt64)] = []
    /// What to ask the next page with; `nil`: this is the last.
    package var next: String?

    package init() {}

    /// - Throws: `S3Failure` for what is no such page.
    package init(_ body: [UInt8]) throws {
        let tree: XMLTree
        do {
            tree = try XMLTree(body)
        } catch {
            let reason = (error as? XMLTree.Malformed)?.reason ?? "\(error)"
            throw S3Failure(damaged: "its list is no XML: \(reason)")
        }
        guard tree.name == "ListBucketResult" else {
            throw S3Failure(damaged: "it answered with \(tree.name.prefix(80)) for a list")
        }
        let isEncoded = tree.text("EncodingType") == "url"
        for entry in tree.all("Contents") {
            guard let name = entry.text("Key"), let size = entry.text("Size").flatMap(UInt64.init)
            else { throw S3Failure(damaged: "its list has an object without a size") }
            objects.append((isEncoded ? PercentEncoding.decode(name) : name, size))
        }
        guard tree.text("IsTruncated") == "true" else { return }
        guard let token = tree.text("NextContinuationToken"), !token.isEmpty else {
            throw S3Failure(damaged: "its list goes on without saying where")
        }
        next = token
    }
}
