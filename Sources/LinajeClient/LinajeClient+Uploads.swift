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
        let store = configuration.uploadMemory.flatMap {
            UploadMemoryStore(folder: $0, path: path, socket: connections.socket)
        }
        var memory = try await BlockingWork.run { store?.load() }
        // A daemon that is restarted forgets its sessions, not what was sent, and a store that fails
        // for a moment ends them: all of it is sent again, and what arrived is found in the store.
        var backoff = Backoff()
        var attempt = 1
        // Counted from the first time on: how long the upload itself takes is nobody's impatience.
        var deadline: ContinuousClock.Instant?
        while true {
            do {
                let (tree, files) = try await upload(
                    UploadPlan(files, memory), to: run, at: destination, observer: observer)
                let uploaded = UploadMemory(tree: tree.digest, files: files)
                if let store { try await BlockingWork.run { store.save(uploaded) } }
                return tree
            } catch let error as LinajeError where memory != nil && error.isAboutBase {
                // The daemon has not, or will not have, what an earlier upload put: all of it again.
                memory = nil
                continue
            } catch let error as LinajeError
                where error.details["ingest_id"] != nil
                && (error.code == .notFound || error.isRetryable)
            {
                let end = deadline ?? .now + configuration.patience
                deadline = end
                let passes = error.code == .notFound || error.code == .unavailable
                guard
                    attempt < configuration.attempts || passes && ContinuousClock.now < end
                else { throw error }
            }
            attempt += 1
            try await backoff.wait()
        }
    }

    private func upload(
        _ plan: UploadPlan, to run: RunID?, at destination: TreePath?,
        observer: TransferObserver?
    ) async throws -> (StoredTree, [UploadMemory.File]) {
        let progress = ProgressKeeper(total: plan.total, observer)
        let session = try await call(Methods.beginIngest, Linaje_V1_BeginIngestRequest())
        do {
            let put = try await put(plan, Array(session.ingestID), progress)
            var commit = Linaje_V1_CommitIngestRequest()
            commit.ingestID = session.ingestID
            if let run { commit.runID = run.data }
            commit.path = destination?.text ?? ""
            let tree = try await call(Methods.commitIngest, commit)
            let stored = StoredTree(
                digest: try SHA256Digest(tree.digest, noun: "digest of the tree"),
                files: tree.files, size: ByteCount(tree.size), newBytes: ByteCount(put.newBytes))
            return (stored, (plan.keptFiles + put.files).sorted { $0.path < $1.path })
        } catch {
            var abort = Linaje_V1_AbortIngestRequest()
            abort.ingestID = session.ingestID
            // The session would be dropped after its lease anyway; the first error is what counts.
            _ = try? await connections.connection().call(
                Methods.abortIngest, abort, key: .random(), deadline: .seconds(5))
            throw error
        }
    }

    /// Sends all files: the small ones in one stream, and beside it a few others at a time.
    private func put(
        _ plan: UploadPlan, _ session: [UInt8], _ progress: ProgressKeeper
    ) async throws -> PutFiles {
        progress.skip(plan.keptFiles)
        return try await withThrowingTaskGroup(of: PutFiles.self) { group in
            var large = plan.large
            var sum = PutFiles()
            if plan.base != nil || !plan.small.isEmpty {
                group.addTask { try await self.putSmall(plan, session, progress) }
            }
            func addNext() {
                guard let file = large.popLast() else { return }
                group.addTask { try await self.put(file, session, progress) }
            }
            for _ in 0..<Self.filesAtOnce { addNext() }
            while let part = try await group.next() {
                sum.add(part)
                large += part.grown
                addNext()
            }
            return sum
        }
    }

    private func put(
        _ file: LocalFile, _ session: [UInt8], _ progress: ProgressKeeper
    ) async throws -> PutFiles {
        let done = try await retrying {
            let mark = ProgressMark(progress)
            do {
                return try await self.putOnce(file, session, mark)
            } catch {
                mark.takeBack()
                throw error
            }
        }
        progress.filesDone(1)
        return done
    }

    private func putOnce(
        _ file: LocalFile, _ session: [UInt8], _ progress: ProgressMark
    ) async throws -> PutFiles {
        let reading = try await BlockingWork.run {
            try LocalFileReading(file.source, followingLink: file.isNamed)
        }
        let began = SystemClock().now()
        let stream = try await openPut(file, size: reading.size, session)
        var hasher = ContentHash()
        // The next piece is read while this one is sent.
        var (bytes, after) = try await Self.piece(reading, at: 0, hasher)
        var offset: UInt64 = 0
        while !bytes.isEmpty {
            hasher = after
            offset += UInt64(bytes.count)
            let (from, before) = (offset, hasher)
            async let next = Self.piece(reading, at: from, before)
            try await stream.send(bytes: bytes)
            progress.add(bytes.count)
            (bytes, after) = try await next
        }
        try await BlockingWork.run { try reading.checkUnchanged() }
        stream.finish()
        let digest = try hasher.digest()
        let response = try check(await stream.response(), file, digest, offset)
        return PutFiles(
            files: [UploadMemory.File(file, reading.stamp, digest, readAt: began)],
            newBytes: response.newBytes)
    }

    private static func piece(
        _ reading: LocalFileReading, at offset: UInt64, _ hasher: ContentHash
    ) async throws -> ([UInt8], ContentHash) {
        guard offset < reading.size else { return ([], hasher) }
        return try await BlockingWork.run {
            var hasher = hasher
            return (try reading.piece(at: offset, into: &hasher), hasher)
        }
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

    func filesDone(_ count: Int) { change { $0.files += count } }

    /// Counts files that need not be moved.
    func skip(_ files: [UploadMemory.File]) {
        guard !files.isEmpty else { return }
        let bytes = files.reduce(0) { $0 &+ $1.stamp.size }
        change {
            $0.files += files.count
            $0.bytes &+= bytes
        }
    }

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

    func takeBack() {
        keeper.add(
            -added.withLock { added in
                defer { added = 0 }
                return added
            })
    }
}
