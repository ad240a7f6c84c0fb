import FoundationEssentials
public import LinajeDomain
import LinajeTransport
import LinajeWire
import Synchronization

/// How far an upload or download is.
public struct TransferProgress: Sendable, Hashable {
    public var files = 0
    public var totalFiles = 0
    public var bytes: UInt64 = 0
    public var totalBytes: UInt64 = 0
}

/// A tree that was stored.
public struct StoredTree: Sendable, Hashable {
    public var digest: SHA256Digest
    public var files: UInt64
    public var size: ByteCount
    /// Bytes that the store did not have before.
    public var newBytes: ByteCount
}

/// Called whenever a transfer has moved on; from any thread, never twice at once.
public typealias TransferObserver = @Sendable (TransferProgress) -> Void

extension LinajeClient {
    /// How many files are under way at once.
    static let filesAtOnce = 4

    /// Stores a file or a folder as one tree: all of it or nothing.
    ///
    /// A folder is walked without following symbolic links; links are stored as links, empty
    /// folders are left out. Each file is read once; its digest is compared with the daemon's.
    ///
    /// - Parameters:
    ///   - path: the file or folder.
    ///   - run: the run that gets the tree as an artifact; `nil`: nobody, it is known by its digest.
    ///   - destination: where in the run's artifacts it is put; `nil`: at the root.
    /// - Throws: `invalidArgument` naming a FIFO, socket or device; `incomplete` naming a file that
    ///   changed while it was read; nothing is stored then.
    public func upload(
        _ path: String, to run: RunID? = nil, at destination: TreePath? = nil,
        observer: TransferObserver? = nil
    ) async throws -> StoredTree {
        let files = try await BlockingWork.run { try LocalTree.files(at: path) }
        // A daemon that is restarted forgets its sessions, not what was sent: it is sent again, and
        // found in the store.
        var backoff = Backoff()
        var attempt = 1
        // Counted from the first time on: how long the upload itself takes is nobody's impatience.
        var deadline: ContinuousClock.Instant?
        while true {
            do {
                return try await upload(files, to: run, at: destination, observer: observer)
            } catch let error as LinajeError where error.details["ingest_id"] != nil {
                let end = deadline ?? .now + configuration.patience
                deadline = end
                guard attempt < configuration.attempts || ContinuousClock.now < end else {
                    throw error
                }
            }
            attempt += 1
            try await backoff.wait()
        }
    }

    private func upload(
        _ files: [LocalFile], to run: RunID?, at destination: TreePath?,
        observer: TransferObserver?
    ) async throws -> StoredTree {
        let progress = ProgressKeeper(
            total: TransferProgress(
                totalFiles: files.count, totalBytes: files.reduce(0) { $0 &+ $1.size }),
            observer)
        let session = try await call(Methods.beginIngest, Linaje_V1_BeginIngestRequest())
        do {
            let newBytes = try await put(files, Array(session.ingestID), progress)
            var commit = Linaje_V1_CommitIngestRequest()
            commit.ingestID = session.ingestID
            if let run { commit.runID = run.data }
            commit.path = destination?.text ?? ""
            let tree = try await call(Methods.commitIngest, commit)
            return StoredTree(
                digest: try SHA256Digest(tree.digest, noun: "digest of the tree"),
                files: tree.files, size: ByteCount(tree.size), newBytes: ByteCount(newBytes))
        } catch {
            var abort = Linaje_V1_AbortIngestRequest()
            abort.ingestID = session.ingestID
            // The session would be dropped after its lease anyway; the first error is what counts.
            _ = try? await connections.connection().call(
                Methods.abortIngest, abort, key: .random(), deadline: .seconds(5))
            throw error
        }
    }

    /// Sends all files, a few at a time; returns how many bytes were new to the store.
    private func put(
        _ files: [LocalFile], _ session: [UInt8], _ progress: ProgressKeeper
    ) async throws -> UInt64 {
        try await withThrowingTaskGroup(of: UInt64.self) { group in
            var rest = files.makeIterator()
            var newBytes: UInt64 = 0
            for _ in 0..<Self.filesAtOnce {
                guard let file = rest.next() else { break }
                group.addTask { try await self.put(file, session, progress) }
            }
            while let added = try await group.next() {
                newBytes &+= added
                guard let file = rest.next() else { continue }
                group.addTask { try await self.put(file, session, progress) }
            }
            return newBytes
        }
    }

    private func put(
        _ file: LocalFile, _ session: [UInt8], _ progress: ProgressKeeper
    ) async throws -> UInt64 {
        let response = try await retrying {
            let mark = ProgressMark(progress)
            do {
                return try await self.putOnce(file, session, mark)
            } catch {
                mark.takeBack()
                throw error
            }
        }
        progress.fileDone()
        return response.newBytes
    }

    private func putOnce(
        _ file: LocalFile, _ session: [UInt8], _ progress: ProgressMark
    ) async throws -> Linaje_V1_PutFileResponse {
        if file.mode == .link {
            let target = try await BlockingWork.run { try LocalTree.target(of: file.source) }
            return try await putBytes(target, file, session, progress)
        }
        // The path a person named may be a link itself; those found below it are not followed.
        let reading = try await BlockingWork.run {
            try LocalFileReading(file.source, followingLink: !file.path.text.contains("/"))
        }
        let stream = try await openPut(file, size: reading.size, session)
        var hasher = ContentHash()
        var offset: UInt64 = 0
        while offset < reading.size {
            let (at, before) = (offset, hasher)
            let (bytes, after) = try await BlockingWork.run {
                var hasher = before
                let bytes = try reading.piece(at: at, into: &hasher)
                return (bytes, hasher)
            }
            hasher = after
            offset += UInt64(bytes.count)
            try await stream.send(bytes: bytes)
            progress.add(bytes.count)
        }
        try await BlockingWork.run { try reading.checkUnchanged() }
        stream.finish()
        return try check(await stream.response(), file, hasher.digest(), offset)
    }

    private func putBytes(
        _ bytes: [UInt8], _ file: LocalFile, _ session: [UInt8], _ progress: ProgressMark
    ) async throws -> Linaje_V1_PutFileResponse {
        let stream = try await openPut(file, size: UInt64(bytes.count), session)
        try await stream.send(bytes: bytes)
        stream.finish()
        progress.add(bytes.count)
        let digest = try ContentHash.digest(of: bytes)
        return try check(await stream.response(), file, digest, UInt64(bytes.count))
    }

    private func openPut(
        _ file: LocalFile, size: UInt64, _ session: [UInt8]
    ) async throws -> ClientStream<Linaje_V1_PutFileResponse> {
        var request = Linaje_V1_PutFileRequest()
        request.ingestID = Data(session)
        request.path = file.path.text
        request.mode = file.mode.rawValue
        request.size = size
        return try await connections.connection().open(Methods.putFile, request)
    }

    /// The daemon must have received what was read.
    private func check(
        _ response: Linaje_V1_PutFileResponse, _ file: LocalFile, _ digest: SHA256Digest,
        _ size: UInt64
    ) throws -> Linaje_V1_PutFileResponse {
        let stored = try TreeEntry(response.file)
        guard stored.sha256 == digest, stored.size == size else {
            throw LinajeError(
                .corrupt,
                "\(file.source) arrived as other bytes than were sent; nothing was stored")
        }
        return response
    }
}

/// Adds up the progress of files that move at the same time.
final class ProgressKeeper: Sendable {
    private let state: Mutex<TransferProgress>
    private let observer: TransferObserver?

    init(total: TransferProgress, _ observer: TransferObserver?) {
        state = Mutex(total)
        self.observer = observer
    }

    func add(_ bytes: Int) {
        change { $0.bytes = UInt64(max(0, Int64(clamping: $0.bytes) + Int64(bytes))) }
    }

    func fileDone() { change { $0.files += 1 } }

    private func change(_ body: (inout TransferProgress) -> Void) {
        state.withLock { progress in
            body(&progress)
            observer?(progress)
        }
    }
}

/// What one attempt at a file has added to the progress, to take it back when it fails.
final class ProgressMark: Sendable {
    private let keeper: ProgressKeeper
    private let added = Mutex(0)

    init(_ keeper: ProgressKeeper) { self.keeper = keeper }

    func add(_ bytes: Int) {
        added.withLock { $0 += bytes }
        keeper.add(bytes)
    }

    func takeBack() { keeper.add(-added.withLock { $0 }) }
}
