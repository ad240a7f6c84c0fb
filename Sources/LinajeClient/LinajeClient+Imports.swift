import FoundationEssentials
package import LinajeDomain
import LinajeTransport
import LinajeWire

/// Hands the bytes of a file to its second argument, in order.
package typealias FileContent =
    @Sendable (TreeEntry, ([UInt8]) async throws -> Void) async throws -> Void

extension LinajeClient {
    /// Creates what comes from another daemon: all of it in one transaction, or nothing.
    ///
    /// - Parameter bundle: the digest of what it came in.
    /// - Returns: what became of each, in order.
    /// - Throws: `incomplete` or `notFound` naming a tree that is not whole here.
    package func importObjects(
        _ objects: [ImportObject], from bundle: SHA256Digest
    ) async throws -> [ImportedObject] {
        try await retrying {
            var request = Linaje_V1_ImportObjectsRequest()
            request.bundle = bundle.data
            let stream = try await self.connections.connection().open(
                Methods.importObjects, request)
            for object in objects {
                try await stream.send(try object.encoded())
            }
            stream.finish()
            return try await stream.response().objects.map { try ImportedObject($0) }
        }
    }

    /// Whether the daemon has a tree of that digest; what it lists, it may still lack files of.
    package func hasTree(_ digest: SHA256Digest) async throws -> Bool {
        do {
            _ = try await artifacts(of: .tree(digest), page: Page(limit: 1))
            return true
        } catch let error as LinajeError where error.code == .notFound {
            return false
        }
    }

    /// Stores a tree whose files come from somewhere else than this machine's file system.
    ///
    /// - Parameter content: hands the bytes of a file to its second argument, in order.
    /// - Returns: the digest of the tree.
    /// - Throws: `corrupt` for a file with other bytes than its digest says; nothing is stored then.
    package func storeTree(
        _ entries: [TreeEntry],
        content:
            @escaping @Sendable (TreeEntry, ([UInt8]) async throws -> Void) async throws -> Void
    ) async throws -> SHA256Digest {
        let session = try await call(Methods.beginIngest, Linaje_V1_BeginIngestRequest())
        let id = session.ingestID
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                var rest = entries.makeIterator()
                for _ in 0..<Self.filesAtOnce {
                    guard let entry = rest.next() else { break }
                    group.addTask { try await self.put(entry, id, content) }
                }
                while try await group.next() != nil {
                    guard let entry = rest.next() else { continue }
                    group.addTask { try await self.put(entry, id, content) }
                }
            }
            var commit = Linaje_V1_CommitIngestRequest()
            commit.ingestID = id
            let tree = try await call(Methods.commitIngest, commit)
            return try SHA256Digest(tree.digest, noun: "digest of the tree")
        } catch {
            var abort = Linaje_V1_AbortIngestRequest()
            abort.ingestID = id
            // The session would be dropped after its lease anyway; the first error is what counts.
            _ = try? await connections.connection().call(
                Methods.abortIngest, abort, key: .random(), deadline: .seconds(5))
            throw error
        }
    }

    private func put(
        _ entry: TreeEntry, _ session: Data,
        _ content: FileContent
    ) async throws {
        var request = Linaje_V1_PutFileRequest()
        request.ingestID = session
        request.path = entry.path.text
        request.mode = entry.mode.rawValue
        request.size = entry.size
        request.sha256 = entry.sha256.data
        let stream = try await connections.connection().open(Methods.putFile, request)
        try await content(entry) { try await stream.send(bytes: $0) }
        stream.finish()
        _ = try await stream.response()
    }
}
