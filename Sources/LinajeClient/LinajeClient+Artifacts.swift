public import LinajeDomain
import LinajeTransport
import LinajeWire

/// An entry of a listing.
public struct ArtifactEntry: Sendable, Hashable {
    /// What an entry is.
    public enum Kind: String, Sendable, Hashable {
        case file, executable, link, folder
    }

    /// Its path below what was listed.
    public var path: TreePath
    public var kind: Kind
    /// Bytes; of a folder, the sum of its files.
    public var size: ByteCount
    /// Of the content, of a link's target; `nil` for a folder.
    public var sha256: SHA256Digest?

    init(_ message: Linaje_V1_FileEntry) throws {
        if message.isFolder {
            path = try TreePath(message.path)
            kind = .folder
            size = ByteCount(message.size)
            return
        }
        let entry = try TreeEntry(message)
        path = entry.path
        size = ByteCount(entry.size)
        sha256 = entry.sha256
        kind =
            switch entry.mode {
            case .file: .file
            case .executable: .executable
            case .link: .link
            }
    }
}

/// A page of a listing and the digest of the tree that was listed.
public struct ArtifactListing: Sendable {
    public var entries: Paged<ArtifactEntry>
    public var tree: SHA256Digest?
}

/// The bytes of one stored file, as they come. One task reads it.
public struct ArtifactReading: Sendable, AsyncSequence {
    /// The file.
    public let file: ArtifactEntry
    let stream: ClientStream<Linaje_V1_ReadArtifactOpened>

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ClientStream<Linaje_V1_ReadArtifactOpened>

        /// The next bytes; `nil` after the last.
        ///
        /// - Throws: `corrupt` when what is stored does not match its digest.
        public mutating func next() async throws -> [UInt8]? { try await stream.next() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

extension LinajeClient {
    /// Lists files by path. Paths of entries count from the root; of runs:/ID/path, from the run.
    ///
    /// - Parameters:
    ///   - root: a run's artifacts, a model's tree, a tree.
    ///   - folder: below which path; `nil`: the root.
    ///   - recursive: all files below it, rather than the next level with its folders.
    public func artifacts(
        of root: ContentURI, below folder: TreePath? = nil, recursive: Bool = false,
        page: Page? = nil
    ) async throws -> ArtifactListing {
        var request = Linaje_V1_ListArtifactsRequest()
        let place = try ArtifactPlace(root, folder)
        request.root = place.root
        request.path = place.path?.text ?? ""
        request.recursive = recursive
        if let page { request.page = Linaje_V1_Page(page) }
        let response = try await call(Methods.listArtifacts, request)
        return ArtifactListing(
            entries: Paged(
                try response.entries.map { try ArtifactEntry($0) },
                nextPageToken: response.nextPageToken),
            tree: try SHA256Digest.orNil(response.tree, noun: "tree of the listing"))
    }

    /// Reads a stored file. What does not match its digest is never delivered.
    ///
    /// - Parameters:
    ///   - path: which file; `nil` when the root names a file itself.
    ///   - offset: first byte wanted.
    ///   - length: how many bytes; `nil`: to the end.
    public func read(
        _ root: ContentURI, path: TreePath? = nil, offset: UInt64 = 0, length: UInt64? = nil
    ) async throws -> ArtifactReading {
        var request = Linaje_V1_ReadArtifactRequest()
        let place = try ArtifactPlace(root, path)
        request.root = place.root
        request.path = place.path?.text ?? ""
        request.offset = offset
        if let length { request.length = length }
        return try await retrying {
            let stream = try await self.connections.connection().open(
                Methods.readArtifact, request)
            let opened = try await stream.response()
            return ArtifactReading(file: try ArtifactEntry(opened.file), stream: stream)
        }
    }
}

/// A root and a path below it. Of runs:/ID/path the path is taken to the other path, so that the
/// root is always a folder and every path of an answer counts from the run.
struct ArtifactPlace {
    var root: Linaje_V1_ArtifactRoot
    var path: TreePath?

    init(_ uri: ContentURI, _ path: TreePath?) throws {
        self.path = path
        switch uri {
        case .run(let id, let folder):
            root = Linaje_V1_ArtifactRoot(run: id)
            if let folder { self.path = try path.map { try folder.appending($0) } ?? folder }
        case .tree(let digest): root = Linaje_V1_ArtifactRoot(tree: digest)
        case .model: root = Linaje_V1_ArtifactRoot(uri: uri.description)
        }
    }
}
