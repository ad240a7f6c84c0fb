import LinajeDomain
import LinajePluginKit

/// An object on its way into a bucket: one request when it is small, else an upload in parts, of
/// which two are sent while the next one fills.
///
/// What has the object's name already is compared by size and SHA-256 and left as it is where both
/// match; else it is replaced, as keys are made from content.
actor S3Writer: ArtifactWriter {
    /// Parts that are sent at the same time.
    private static let partsOnTheirWay = 2
    /// As many as S3 takes.
    private static let maximumParts = 10_000

    private enum State {
        case open
        case failed(any Error)
        case committed
        case aborted
    }

    private let client: S3Client
    private let key: String
    private var state = State.open
    private var buffer: [UInt8] = []
    private var size: UInt64 = 0
    private var uploadID: String?
    private var sending: [Task<S3Client.Part, any Error>] = []
    private var parts: [S3Client.Part] = []

    init(client: S3Client, key: String) {
        self.client = client
        self.key = key
    }

    deinit {
        guard let uploadID else { return }
        for part in sending { part.cancel() }
        // Forgotten without commit or abort. Unstructured because nobody waits here any more; what
        // it cannot remove, the bucket's lifecycle rule for unfinished uploads does.
        Task { [client, key] in try? await client.abortUpload(key, id: uploadID) }
    }

    func write(_ bytes: [UInt8]) async throws {
        try await step {
            size += UInt64(bytes.count)
            buffer += bytes
            let part = client.configuration.partBytes
            var start = 0
            // One byte more than a part: the last part is never empty.
            while buffer.count - start > part {
                try await send(Array(buffer[start..<start + part]))
                start += part
            }
            if start > 0 { buffer.removeFirst(start) }
        }
    }

    func commit() async throws {
        try await step {
            if uploadID == nil {
                try await commitWhole()
            } else {
                try await commitParts()
            }
            uploadID = nil
            buffer = []
            state = .committed
        }
    }

    func abort() async {
        guard case .open = state else { return await dropUpload() }
        state = .aborted
        await dropUpload()
    }

    // MARK: Steps

    /// Does one step. An error ends the writer: every later step throws the same.
    private func step(_ body: () async throws -> Void) async throws {
        switch state {
        case .failed(let error): throw error
        case .committed, .aborted:
            throw LinajeError(
                .failedPrecondition, "object \(key) is written already; put it again")
        case .open: break
        }
        do {
            try await body()
        } catch {
            state = .failed(error)
            buffer = []
            await dropUpload()
            throw error
        }
    }

    private func send(_ part: [UInt8]) async throws {
        let id: String
        if let uploadID {
            id = uploadID
        } else {
            id = try await client.beginUpload(key)
            uploadID = id
        }
        let number = parts.count + sending.count + 1
        guard number <= Self.maximumParts else {
            throw LinajeError(
                .limitExceeded,
                "object \(key) has more than \(Self.maximumParts) parts of "
                    + "\(client.configuration.partBytes) bytes; use larger parts")
        }
        if sending.count >= Self.partsOnTheirWay { try await takeOldest() }
        // Unstructured because it goes on while the caller brings the next bytes; `commit` waits for
        // it, and every other end of the writer cancels it.
        sending.append(
            Task { [client, key] in
                try await client.upload(key, id: id, number: number, part)
            })
    }

    private func takeOldest() async throws {
        let oldest = sending.removeFirst()
        parts.append(
            try await withTaskCancellationHandler {
                try await oldest.value
            } onCancel: {
                oldest.cancel()
            })
    }

    private func commitWhole() async throws {
        let outcome = try await client.write(key, buffer, replacing: false)
        guard outcome == .exists else { return }
        let digest = SignatureV4.sha256(buffer)
        if try await isThere(checksum: digest.base64) { return }
        _ = try await client.write(key, buffer, replacing: true)
    }

    private func commitParts() async throws {
        guard let uploadID else { return }
        try await send(buffer)
        buffer = []
        while !sending.isEmpty { try await takeOldest() }
        let checksum = SignatureV4.sha256(parts.flatMap(\.digest.bytes)).base64
        switch try await client.completeUpload(key, id: uploadID, parts, replacing: false) {
        case .stored: return
        case .exists:
            if try await isThere(checksum: checksum) {
                await dropUpload()
                return
            }
            if try await client.completeUpload(key, id: uploadID, parts, replacing: true) != nil {
                return
            }
        case nil: break
        }
        // The upload is not known any more: the answer to the request that ended it was lost, or
        // somebody has dropped it.
        guard try await isThere(checksum: checksum) else {
            throw LinajeError(
                .unavailable,
                "the upload of object \(key) to bucket \(client.configuration.bucket) was dropped "
                    + "by the server; put it again")
        }
    }

    /// Whether the object in the bucket is this one. Where the server keeps no checksums, nobody
    /// knows, and it is taken for another.
    private func isThere(checksum: String) async throws -> Bool {
        guard let facts = try await client.facts(key) else { return false }
        return facts.size == size && facts.checksum == checksum
    }

    private func dropUpload() async {
        for part in sending { part.cancel() }
        for part in sending { _ = try? await part.value }
        sending = []
        guard let uploadID else { return }
        self.uploadID = nil
        // Shielded: that the caller was cancelled is no reason to leave it behind. What cannot be
        // removed, the bucket's lifecycle rule for unfinished uploads does.
        _ = await Task { [client, key] in try? await client.abortUpload(key, id: uploadID) }.value
    }
}
