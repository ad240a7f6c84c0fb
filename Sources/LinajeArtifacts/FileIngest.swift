import LinajeDomain
import Synchronization

/// One file on its way into a session: bytes in, chunks out. Used by one task at a time.
///
/// Memory does not grow with the file, but for the recipe: 36 bytes a chunk.
package final class FileIngest: Sendable {
    /// Content of finished chunks that is gathered before the store is asked about it.
    package static let batchBytes = 512 << 10

    private let session: IngestSession
    private let path: TreePath
    private let mode: FileMode
    private let expectedSize: UInt64?
    private let expectedDigest: SHA256Digest?
    private let writer: BlobWriter
    private let clock: any WallClock
    private let work: Mutex<FileWork>

    init(
        session: IngestSession, path: TreePath, mode: FileMode, size: UInt64?,
        sha256: SHA256Digest?, writer: BlobWriter, clock: any WallClock
    ) {
        self.session = session
        self.path = path
        self.mode = mode
        self.expectedSize = size
        self.expectedDigest = sha256
        self.writer = writer
        self.clock = clock
        self.work = Mutex(FileWork())
    }

    deinit {
        // Whoever forgot it: the session must not wait for it for ever.
        if work.withLock({ $0.close() }) { try? session.close(nil, clock.now()) }
    }

    /// Takes the next bytes; returns when they are hashed and those of finished chunks are on
    /// their way to a pack.
    ///
    /// - Throws: `incomplete` for more bytes than announced, `limitExceeded`, `notFound` when the
    ///   session has ended, the error of a lost pack. The file is then over.
    package func append(_ bytes: [UInt8]) async throws {
        do {
            try session.use(clock.now())
            let batch = try await writer.pool.run {
                try self.work.withLock { work in
                    try self.checkLength(work.size, adding: UInt64(bytes.count))
                    return try work.absorb(bytes, path: self.path, isLink: self.mode == .link)
                }
            }
            if !batch.isEmpty { try await store(batch) }
        } catch {
            await abort()
            throw LinajeError.any(error)
        }
    }

    /// Ends the file and puts it in its session.
    ///
    /// - Throws: `incomplete` for another size than announced, `corrupt` for another digest,
    ///   `invalidArgument` for a link's target that cannot be one. The file is then over.
    package func finish() async throws -> IngestedFile {
        do {
            try session.use(clock.now())
            let rest = try await writer.pool.run {
                try self.work.withLock { try $0.rest(path: self.path) }
            }
            try await store(rest.batch)
            try check(rest)
            let recipe = RawBlob(
                key: BlobKey(.recipe, rest.digest),
                content: Recipe.encode(size: rest.size, list: rest.list))
            _ = try await writer.put([recipe], for: session)
            guard work.withLock({ $0.close() }) else { throw FileIngest.over(path) }
            let entry = TreeEntry(path: path, mode: mode, size: rest.size, sha256: rest.digest)
            try session.close(entry, clock.now())
            return IngestedFile(
                entry: entry, chunks: rest.list.count / Recipe.chunkBytes,
                newBytes: work.withLock { $0.newBytes })
        } catch {
            await abort()
            throw LinajeError.any(error)
        }
    }

    /// Drops the file; harmless after its end.
    package func abort() async {
        if work.withLock({ $0.close() }) { try? session.close(nil, clock.now()) }
    }

    private func store(_ batch: [RawBlob]) async throws {
        let taken = try await writer.put(batch, for: session)
        work.withLock { $0.newBytes += taken }
    }

    private func checkLength(_ size: UInt64, adding count: UInt64) throws {
        let total = size + count
        if let expectedSize, total > expectedSize {
            throw LinajeError(
                .incomplete,
                "file \"\(path)\" has more than the announced \(expectedSize) bytes; it changed "
                    + "while it was read: upload it again")
        }
        let limit = mode == .link ? UInt64(Limits.linkTargetBytes) : Limits.fileBytes
        guard total <= limit else {
            throw LinajeError(
                .limitExceeded,
                mode == .link
                    ? "target of link \"\(path)\" has more than \(limit) bytes"
                    : "file \"\(path)\" has more than \(limit) bytes; split it")
        }
    }

    private func check(_ rest: FileWork.Rest) throws {
        if let expectedSize, rest.size != expectedSize {
            throw LinajeError(
                .incomplete,
                "file \"\(path)\" ended after \(rest.size) of \(expectedSize) bytes; upload it "
                    + "again")
        }
        if let expectedDigest, rest.digest != expectedDigest {
            throw LinajeError(
                .corrupt,
                "file \"\(path)\" arrived with sha256 \(rest.digest), not \(expectedDigest); "
                    + "upload it again")
        }
        if mode == .link, rest.size == 0 || rest.holdsNUL {
            throw LinajeError(
                .invalidArgument,
                "target of link \"\(path)\" is empty or holds a NUL byte; it can be no target")
        }
    }

    static func over(_ path: TreePath) -> LinajeError {
        LinajeError(
            .failedPrecondition, "file \"\(path)\" is over already; open it again")
    }
}

/// What a file in the making has come to; the heavy part of `FileIngest`, without waiting.
struct FileWork {
    /// What is left when the bytes end.
    struct Rest: Sendable {
        var batch: [RawBlob]
        var size: UInt64
        var digest: SHA256Digest
        /// Lines of the recipe.
        var list: [UInt8]
        /// Only known of links.
        var holdsNUL: Bool
    }

    private(set) var size: UInt64 = 0
    var newBytes: UInt64 = 0
    private var chunker = Chunker()
    private var hasher = ContentHasher()
    private var current: [UInt8] = []
    private var batch: [RawBlob] = []
    private var batchBytes = 0
    private var list: [UInt8] = []
    private var holdsNUL = false
    private var isOver = false

    /// Ends it; false when it had ended before.
    mutating func close() -> Bool {
        guard !isOver else { return false }
        isOver = true
        current = []
        batch = []
        list = []
        return true
    }

    /// Cuts and hashes the next bytes; the chunks to store now, if there are enough.
    mutating func absorb(_ bytes: [UInt8], path: TreePath, isLink: Bool) throws -> [RawBlob] {
        guard !isOver else { throw FileIngest.over(path) }
        if isLink, bytes.contains(0) { holdsNUL = true }
        size += UInt64(bytes.count)
        bytes.withUnsafeBytes { all in
            hasher.update(all)
            var rest = all
            while let length = chunker.cut(rest) {
                current.append(contentsOf: UnsafeRawBufferPointer(rebasing: rest[..<length]))
                endChunk()
                rest = UnsafeRawBufferPointer(rebasing: rest[length...])
            }
            current.append(contentsOf: rest)
        }
        guard list.count / Recipe.chunkBytes < Recipe.maximumChunks else {
            throw LinajeError(
                .limitExceeded,
                "file \"\(path)\" has more than \(Recipe.maximumChunks) chunks; split it")
        }
        guard batchBytes >= FileIngest.batchBytes else { return [] }
        return takeBatch()
    }

    /// Ends the last chunk.
    mutating func rest(path: TreePath) throws -> Rest {
        guard !isOver else { throw FileIngest.over(path) }
        if !current.isEmpty { endChunk() }
        return Rest(
            batch: takeBatch(), size: size, digest: hasher.digest, list: list, holdsNUL: holdsNUL)
    }

    private mutating func endChunk() {
        let digest = ContentHasher.digest(current)
        Recipe.append(
            Recipe.Chunk(digest: digest, length: UInt32(current.count)), to: &list)
        batchBytes += current.count
        batch.append(RawBlob(key: BlobKey(.chunk, digest), content: current))
        current = []
    }

    private mutating func takeBatch() -> [RawBlob] {
        defer {
            batch = []
            batchBytes = 0
        }
        return batch
    }
}
