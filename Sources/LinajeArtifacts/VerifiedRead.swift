import DequeModule
package import LinajeDomain

/// The bytes of a file or of a part of it, in pieces, each checked before it is given.
///
/// ```
/// index ─▶ groups of chunks side by side in a pack ─▶ read, check, decode ─▶ piece
///                                        `groupsAhead` at a time, on all cores, beside the sending
/// ```
/// Every chunk is checked against its SHA-256. When the whole file is read, the last piece is
/// held back until the file's own SHA-256 is right, unless the reader checks that itself.
package struct VerifiedRead: AsyncSequence, Sendable {
    package typealias Element = [UInt8]

    /// The file.
    package let file: SHA256Digest
    /// Its size in bytes.
    package let size: UInt64
    /// The bytes that are read.
    package let range: Range<UInt64>
    private let recipe: Recipe
    private let index: ChunkIndex
    private let reader: BlobReader
    private let pool: WorkerPool
    private let checksFile: Bool
    /// Keeps the file from being collected while somebody reads it.
    private let reading: FileReading?
    /// Looks for a better recipe when this one is found to be wrong; says whether there is one now.
    private let settle: (@Sendable () async throws -> Bool)?

    init(
        file: SHA256Digest, recipe: Recipe, range: Range<UInt64>, index: ChunkIndex,
        reader: BlobReader, pool: WorkerPool, checksFile: Bool = true,
        reading: FileReading? = nil,
        settle: (@Sendable () async throws -> Bool)? = nil
    ) {
        self.file = file
        self.size = recipe.size
        self.range = range
        self.recipe = recipe
        self.index = index
        self.reader = reader
        self.pool = pool
        self.checksFile = checksFile
        self.reading = reading
        self.settle = settle
    }

    package func makeAsyncIterator() -> Iterator { Iterator(self) }

    /// All bytes together, for what is known to be small.
    package func collect() async throws -> [UInt8] {
        var out: [UInt8] = []
        for try await piece in self { out += piece }
        return out
    }

    package struct Iterator: AsyncIteratorProtocol {
        /// Content that is fetched and decoded at a time, at most (but for one chunk).
        static let groupBytes = 1 << 20
        /// Groups that are fetched beside the one that is given.
        static let groupsAhead = 3
        /// The first bytes come chunk by chunk, and nothing ahead of them: what a reader that takes
        /// nothing makes the daemon hold is a chunk, not a group.
        static let carefulBytes: UInt64 = 4 << 20
        /// Chunks that the index is asked for at a time.
        static let chunksPerLookup = 256

        /// Chunks on their way.
        private struct Group {
            /// Index of the first of them.
            var firstChunk: Int
            var content: FetchAhead<[UInt8]>
        }

        private let read: VerifiedRead
        /// Where the next piece begins in the file; at first, where the chunk does that holds it.
        private var position: UInt64
        /// The next chunk that is not on its way, and where it begins.
        private var nextChunk: Int
        private var nextStart: UInt64
        /// Of chunks from the next on.
        private var locations: ArraySlice<BlobLocation> = []
        private var groups: Deque<Group> = []
        /// Of all pieces before the last; only while the whole file is checked.
        private var hashing: FetchAhead<ContentHasher>?
        private let checksFile: Bool

        init(_ read: VerifiedRead) {
            self.read = read
            var index = 0
            var start: UInt64 = 0
            let chunks = read.recipe.chunks
            while index < chunks.count,
                start + UInt64(chunks[index].length) <= read.range.lowerBound
            {
                start += UInt64(chunks[index].length)
                index += 1
            }
            nextChunk = index
            nextStart = start
            position = start
            checksFile = read.checksFile && read.range == 0..<read.size
        }

        package mutating func next() async throws -> [UInt8]? {
            guard position < read.range.upperBound else { return nil }
            if groups.isEmpty { try await fetchMore(isAhead: false) }
            let content = try await takeFirst()
            let end = position + UInt64(content.count)
            let from = Int(Swift.max(read.range.lowerBound, position) - position)
            let to = Int(Swift.min(read.range.upperBound, end) - position)
            position = end
            try await fetchMore(isAhead: true)
            try await verifyFile(content)
            let isWhole = from == 0 && to == content.count
            return isWhole ? content : Array(content[from..<to])
        }

        /// The content of the first group.
        private mutating func takeFirst() async throws -> [UInt8] {
            guard let first = groups.first else {
                preconditionFailure("a group is fetched before it is taken")
            }
            do {
                let content = try await first.content.value
                groups.removeFirst()
                return content
            } catch let error as LinajeError where error.code == .incomplete {
                // A repacking may have moved them since they were looked up.
                (groups, locations) = ([], [])
                (nextChunk, nextStart) = (first.firstChunk, position)
                try await lookUp()
                return try await takeGroup(nil).content.value
            }
        }

        /// Sets the next groups on their way: the one that is needed now, and others if there is room.
        private mutating func fetchMore(isAhead: Bool) async throws {
            while nextStart < read.range.upperBound {
                let isNeeded = groups.isEmpty && !isAhead
                var permit: AheadPermit?
                if !isNeeded {
                    guard groups.count < Iterator.groupsAhead, !isCareful else { return }
                    permit = read.reader.ahead.take()
                    guard permit != nil else { return }
                }
                if locations.isEmpty {
                    do {
                        try await lookUp()
                    } catch {
                        // Of what is ahead it is thrown when all before it is given.
                        guard isNeeded else { return }
                        throw error
                    }
                }
                groups.append(takeGroup(permit))
            }
        }

        private var isCareful: Bool {
            nextStart < read.range.lowerBound + Iterator.carefulBytes
        }

        private mutating func lookUp() async throws {
            var wanted: [Recipe.Chunk] = []
            var start = nextStart
            for chunk in read.recipe.chunks[nextChunk...].prefix(Iterator.chunksPerLookup) {
                guard start < read.range.upperBound else { break }
                wanted.append(chunk)
                start += UInt64(chunk.length)
            }
            let found = try await read.index.locate(.chunk, wanted.map(\.digest))
            locations = try wanted.map { chunk in
                guard let location = found[chunk.digest] else {
                    throw LinajeError(
                        .incomplete,
                        "file \(read.file) lacks chunk \(chunk.digest); upload it again",
                        details: ["file": read.file.description])
                }
                guard location.contentLength == chunk.length else {
                    throw LinajeError(
                        .corrupt,
                        "recipe of file \(read.file) and chunk index disagree about the length of "
                            + "chunk \(chunk.digest); rebuild the index",
                        details: ["file": read.file.description])
                }
                return location
            }[...]
        }

        /// Begins to fetch the next chunks that lie side by side in a pack.
        private mutating func takeGroup(_ permit: AheadPermit?) -> Group {
            var group: [BlobLocation] = []
            var content = 0
            let most = isCareful ? 0 : Iterator.groupBytes
            while let location = locations.first {
                if let last = group.last {
                    let follows =
                        location.pack == last.pack
                        && location.offset == last.offset + UInt64(last.storedLength)
                    let total = content + Int(location.contentLength)
                    guard follows, total <= most else { break }
                }
                content += Int(location.contentLength)
                group.append(location)
                locations = locations.dropFirst()
            }
            defer {
                nextChunk += group.count
                nextStart += UInt64(content)
            }
            let (reader, chunks) = (read.reader, group)
            return Group(
                firstChunk: nextChunk,
                content: FetchAhead(permit) { try await reader.chunks(chunks) })
        }

        /// Hashes a piece beside its sending; the last one is waited for.
        private mutating func verifyFile(_ content: [UInt8]) async throws {
            guard checksFile else { return }
            // One piece is hashed at a time, so that no more than one is kept for it.
            let before = try await hashing?.value ?? ContentHasher()
            let pool = read.pool
            let next = FetchAhead {
                try await pool.run {
                    var hasher = before
                    hasher.update(content)
                    return hasher
                }
            }
            hashing = next
            guard position >= read.size else { return }
            guard try await next.value.digest != read.file else { return }
            read.reader.metrics.foundCorrupt()
            // Each chunk is what its own digest says, so it is their list that is wrong.
            let isSettled = (try? await read.settle?()) ?? false
            let advice =
                isSettled
                ? "the list of them was wrong and is right now: read it again"
                : "the list of them, which came with a pack of a remote, is wrong: upload the file "
                    + "again, or pull it from another remote"
            throw LinajeError(
                .corrupt, "chunks of file \(read.file) are not that file; \(advice)",
                details: ["file": read.file.description])
        }
    }
}
