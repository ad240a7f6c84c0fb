package import LinajeDomain

/// The bytes of a file or of a part of it, in pieces, each checked before it is given.
///
/// Every chunk is checked against its SHA-256. When the whole file is read, the last pieces are
/// held back until the file's own SHA-256 is right.
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
    /// Keeps the file from being collected while somebody reads it.
    private let reading: FileReading?

    init(
        file: SHA256Digest, recipe: Recipe, range: Range<UInt64>, index: ChunkIndex,
        reader: BlobReader, pool: WorkerPool, reading: FileReading? = nil
    ) {
        self.file = file
        self.size = recipe.size
        self.range = range
        self.recipe = recipe
        self.index = index
        self.reader = reader
        self.pool = pool
        self.reading = reading
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
        /// The first bytes come chunk by chunk: what a reader that takes nothing makes the daemon
        /// hold is a chunk, not a group.
        static let carefulBytes: UInt64 = 4 << 20
        /// Chunks that the index is asked for at a time.
        static let chunksPerLookup = 64

        private let read: VerifiedRead
        /// Index of the next chunk to fetch.
        private var nextChunk: Int
        /// Where that chunk begins in the file.
        private var position: UInt64
        private var locations: ArraySlice<BlobLocation> = []
        /// Fetched pieces, the next one last.
        private var ready: [[UInt8]] = []
        /// Only while the whole file is read.
        private var hasher: ContentHasher?

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
            self.nextChunk = index
            self.position = start
            self.hasher = read.range == 0..<read.size ? ContentHasher() : nil
        }

        package mutating func next() async throws -> [UInt8]? {
            while true {
                if let piece = ready.popLast() { return piece }
                guard position < read.range.upperBound else { return nil }
                try await fetch()
            }
        }

        /// Fetches the next chunks that lie side by side in a pack, and cuts the range out.
        private mutating func fetch() async throws {
            if locations.isEmpty { try await lookUp() }
            var group = takeGroup()
            var contents: [[UInt8]]
            do {
                contents = try await read.reader.chunks(group)
            } catch let error as LinajeError where error.code == .incomplete {
                // A repacking may have moved them since they were looked up.
                try await lookUp()
                group = takeGroup()
                contents = try await read.reader.chunks(group)
            }
            read.reader.metrics.read(contents)
            var pieces: [[UInt8]] = []
            for content in contents {
                let end = position + UInt64(content.count)
                let from = Int(Swift.max(read.range.lowerBound, position) - position)
                let to = Int(Swift.min(read.range.upperBound, end) - position)
                let isWhole = from == 0 && to == content.count
                pieces.append(isWhole ? content : Array(content[from..<to]))
                position = end
            }
            nextChunk += group.count
            try await verifyFile(contents)
            ready = pieces.reversed()
        }

        private mutating func lookUp() async throws {
            var wanted: [Recipe.Chunk] = []
            var start = position
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

        private mutating func takeGroup() -> [BlobLocation] {
            var group: [BlobLocation] = []
            var content = 0
            let isCareful = position < read.range.lowerBound + Iterator.carefulBytes
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
            return group
        }

        private mutating func verifyFile(_ contents: [[UInt8]]) async throws {
            guard let before = hasher else { return }
            let after = try await read.pool.run {
                var hasher = before
                for content in contents { hasher.update(content) }
                return hasher
            }
            hasher = after
            guard position == read.size, after.digest != read.file else { return }
            read.reader.metrics.foundCorrupt()
            throw LinajeError(
                .corrupt,
                "chunks of file \(read.file) are not that file; restore its packs from a copy",
                details: ["file": read.file.description])
        }
    }
}
