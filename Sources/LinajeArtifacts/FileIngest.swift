import DequeModule
import LinajeDomain
import Synchronization

/// One file on its way into a session: bytes in, chunks out. Used by one task at a time.
///
/// ```
/// append ─▶ cut, SHA-256 of the file ─▶ batch ─▶ SHA-256 of chunks, look up, encode, pack
///           one piece after the other          `batchesAhead` at a time, beside the next pieces
/// ```
/// Memory does not grow with the file, but for the recipe: 36 bytes a chunk.
package final class FileIngest: Sendable {
    /// Content of finished chunks that is gathered before the store is asked about it.
    package static let batchBytes = 512 << 10
    /// Batches that are on their way to packs while the next is cut.
    static let batchesAhead = 2

    private typealias Batch = Task<(lines: [UInt8], taken: UInt64), any Error>

    private let session: IngestSession
    private let path: TreePath
    private let mode: FileMode
    private let expectedSize: UInt64?
    private let expectedDigest: SHA256Digest?
    private let writer: BlobWriter
    private let clock: any WallClock
    private let work: Mutex<FileWork>
    private let ahead = Mutex<Deque<Batch>>([])

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

    /// Takes the next bytes; returns when they are hashed, and when few batches are on their way.
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
            if !batch.isEmpty { try await send(batch) }
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
            if !rest.batch.isEmpty { try await send(rest.batch) }
            try await settle(leaving: 0)
            try check(rest)
            let (list, newBytes) = work.withLock { ($0.list, $0.newBytes) }
            let recipe = RawBlob(
                key: BlobKey(.recipe, rest.digest),
                content: Recipe.encode(size: rest.size, list: list))
            _ = try await writer.put([recipe], for: session)
            guard work.withLock({ $0.close() }) else { throw FileIngest.over(path) }
            let entry = TreeEntry(path: path, mode: mode, size: rest.size, sha256: rest.digest)
            try session.close(entry, clock.now())
            return IngestedFile(
                entry: entry, chunks: list.count / Recipe.chunkBytes, newBytes: newBytes)
        } catch {
            await abort()
            throw LinajeError.any(error)
        }
    }

    /// Drops the file; harmless after its end.
    package func abort() async {
        let batches = ahead.withLock { ahead in
            defer { ahead = [] }
            return ahead
        }
        for batch in batches { batch.cancel() }
        for batch in batches { _ = await batch.result }
        if work.withLock({ $0.close() }) { try? session.close(nil, clock.now()) }
    }

    /// Sends a batch on its way, once there is room.
    private func send(_ batch: [[UInt8]]) async throws {
        try await settle(leaving: Self.batchesAhead - 1)
        // Unstructured because it outlives the call of `append`; `finish` or `abort` waits for it.
        let task = Batch { [writer, session] in try await writer.put(chunks: batch, for: session) }
        ahead.withLock { $0.append(task) }
    }

    /// Waits until so many batches are on their way, at most, and notes what became of the others.
    private func settle(leaving count: Int) async throws {
        while let first = ahead.withLock({ $0.count > count ? $0.popFirst() : nil }) {
            let done = try await first.value
            work.withLock { $0.note(lines: done.lines, taken: done.taken) }
        }
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
            throw Self.corrupt(path, rest.digest, announced: expectedDigest)
        }
        if mode == .link, rest.size == 0 || rest.holdsNUL { throw Self.noTarget(path) }
    }

    static func corrupt(
        _ path: TreePath, _ digest: SHA256Digest, announced: SHA256Digest
    ) -> LinajeError {
        LinajeError(
            .corrupt,
            "file \"\(path)\" arrived with sha256 \(digest), not \(announced); upload it again")
    }

    /// - Throws: `invalidArgument` for bytes that no link can have as its target.
    static func checkTarget(_ target: [UInt8], _ path: TreePath) throws {
        if target.isEmpty || target.contains(0) { throw noTarget(path) }
    }

    private static func noTarget(_ path: TreePath) -> LinajeError {
        LinajeError(
            .invalidArgument,
            "target of link \"\(path)\" is empty or holds a NUL byte; it can be no target")
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
        var batch: [[UInt8]]
        var size: UInt64
        var digest: SHA256Digest
        /// Only known of links.
        var holdsNUL: Bool
    }

    private(set) var size: UInt64 = 0
    private(set) var newBytes: UInt64 = 0
    /// Lines of the recipe, of the chunks that are stored.
    private(set) var list: [UInt8] = []
    private var chunker = Chunker()
    private var hasher = ContentHasher()
    private var chunkCount = 0
    private var current: [UInt8] = []
    private var batch: [[UInt8]] = []
    private var batchBytes = 0
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

    /// Notes that the next chunks are stored.
    mutating func note(lines: [UInt8], taken: UInt64) {
        list += lines
        newBytes += taken
    }

    /// Cuts and hashes the next bytes; the chunks to store now, if there are enough.
    mutating func absorb(_ bytes: [UInt8], path: TreePath, isLink: Bool) throws -> [[UInt8]] {
        guard !isOver else { throw FileIngest.over(path) }
        if isLink, bytes.contains(0) { holdsNUL = true }
        size += UInt64(bytes.count)
        bytes.withUnsafeBytes { all in
            hasher.update(all)
            var rest = all
            while let length = chunker.cut(rest) {
                endChunk(UnsafeRawBufferPointer(rebasing: rest[..<length]))
                rest = UnsafeRawBufferPointer(rebasing: rest[length...])
            }
            if current.isEmpty {
                current.reserveCapacity(max(rest.count, Chunker.normal + Chunker.minimum))
            }
            current.append(contentsOf: rest)
        }
        guard chunkCount < Recipe.maximumChunks else {
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
        if !current.isEmpty { endChunk(nil) }
        return Rest(batch: takeBatch(), size: size, digest: hasher.digest, holdsNUL: holdsNUL)
    }

    private mutating func endChunk(_ last: UnsafeRawBufferPointer?) {
        if let last { current.append(contentsOf: last) }
        let chunk = current
        current = []
        chunkCount += 1
        batchBytes += chunk.count
        batch.append(chunk)
    }

    private mutating func takeBatch() -> [[UInt8]] {
        defer {
            batch = []
            batchBytes = 0
        }
        return batch
    }
}
