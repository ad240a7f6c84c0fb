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

/// The bytes of one stored file, as they come. One task reads it. When the daemon is restarted
/// meanwhile, it goes on where it was.
public struct ArtifactReading: Sendable, AsyncSequence {
    /// The file.
    public let file: ArtifactEntry
    let client: LinajeClient
    let request: Linaje_V1_ReadArtifactRequest
    let stream: ClientStream<Linaje_V1_ReadArtifactOpened>

    public struct AsyncIterator: AsyncIteratorProtocol {
        let reading: ArtifactReading
        var stream: ClientStream<Linaje_V1_ReadArtifactOpened>
        var delivered: UInt64 = 0
        /// Until when a daemon that gives nothing is asked again, and after which pause.
        private var deadline: ContinuousClock.Instant?
        private var backoff = Backoff()

        init(_ reading: ArtifactReading) {
            self.reading = reading
            stream = reading.stream
        }

        /// The next bytes; `nil` after the last.
        ///
        /// - Throws: `corrupt` when what is stored does not match its digest; `conflict` when the
        ///   name of the file means another one after a restart.
        public mutating func next() async throws -> [UInt8]? {
            try await take { stream in try await stream.next().map { [$0] } ?? [] }.first
        }

        /// All bytes that have come, in pieces, and at least one; none after the last.
        mutating func nextBatch() async throws -> [[UInt8]] {
            try await take { stream in
                try await stream.nextBatch(upTo: ArtifactReading.batchBytes)
            }
        }

        private mutating func take(
            _ body: (ClientStream<Linaje_V1_ReadArtifactOpened>) async throws -> [[UInt8]]
        ) async throws -> [[UInt8]] {
            while true {
                do {
                    let pieces = try await body(stream)
                    delivered += pieces.reduce(0) { $0 + UInt64($1.count) }
                    (deadline, backoff) = (nil, Backoff())
                    return pieces
                } catch let error as LinajeError where error.code == .unavailable {
                    let end = deadline ?? .now + reading.client.configuration.patience
                    deadline = end
                    guard ContinuousClock.now < end else { throw error }
                    try await backoff.wait()
                    guard let next = try await reading.resumed(after: delivered) else {
                        return []
                    }
                    stream = next
                }
            }
        }
    }

    /// What is taken at once, about.
    static let batchBytes = 512 << 10

    /// Lets the daemon send further ahead; for whoever is going to take all of a long file.
    func keepFilled() {
        guard file.size.bytes > 1 << 20 else { return }
        stream.widen(by: 2 * Self.batchBytes)
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

    /// Opens the rest on another connection; `nil` when there is none.
    private func resumed(
        after delivered: UInt64
    ) async throws -> ClientStream<Linaje_V1_ReadArtifactOpened>? {
        var request = request
        request.offset += delivered
        if request.hasLength {
            guard delivered < request.length else { return nil }
            request.length -= delivered
        }
        guard request.offset < file.size.bytes else { return nil }
        let (opened, stream) = try await client.open(request)
        let found = try ArtifactEntry(opened.file)
        guard found.sha256 == file.sha256 else {
            throw LinajeError(
                .conflict, "\(file.path) became another file while it was read; read it again")
        }
        return stream
    }
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
        try await read(try ArtifactPlace(root, path), offset, length, checking: false)
    }

    /// - Parameter checking: whether the caller compares a whole file with its digest itself.
    func read(
        _ place: ArtifactPlace, _ offset: UInt64, _ length: UInt64? = nil, checking: Bool
    ) async throws -> ArtifactReading {
        var request = Linaje_V1_ReadArtifactRequest()
        request.root = place.root
        request.path = place.path?.text ?? ""
        request.offset = offset
        if let length { request.length = length }
        request.checkedByClient = checking
        let (opened, stream) = try await open(request)
        return ArtifactReading(
            file: try ArtifactEntry(opened.file), client: self, request: request, stream: stream)
    }

    func open(
        _ request: Linaje_V1_ReadArtifactRequest
    ) async throws -> (
        Linaje_V1_ReadArtifactOpened, ClientStream<Linaje_V1_ReadArtifactOpened>
    ) {
        try await retrying {
            let stream = try await self.connections.connection().open(
                Methods.readArtifact, request)
            return (try await stream.response(), stream)
        }
    }
}

/// A root and a path below it. Of runs:/ID/path the path is taken to the other path, so that the
/// root is always a folder and every path of an answer counts from the run.
struct ArtifactPlace: Sendable {
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
