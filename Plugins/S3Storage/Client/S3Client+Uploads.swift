import LinajeDomain

extension S3Client {
    /// A part of an upload that the server has.
    struct Part: Sendable {
        var number: Int
        var etag: String
        var digest: PayloadDigest
        /// Whether the server knows the digest, too: one that does not refuses to be told of it again.
        var isChecked: Bool
    }

    /// What became of a write that may not replace an object.
    enum Outcome: Sendable {
        case stored
        /// Something has that name already.
        case exists
    }

    /// Writes an object at once.
    ///
    /// - Parameter replacing: whether an object of that name may be replaced.
    func write(_ key: String, _ body: [UInt8], replacing: Bool) async throws -> Outcome {
        let isConditional = !replacing && usesConditions
        var call = Call(
            verb: "write", method: "PUT", key: key, body: body, isWrite: true,
            understood: isConditional ? [412, 501] : [])
        call.headers = checksumHeaders(SignatureV4.sha256(body))
        if isConditional { call.headers.append(("if-none-match", "*")) }
        let answer = try await perform(call)
        switch answer.status {
        case 412: return .exists
        case 501:
            refusedCondition()
            return try await write(key, body, replacing: true)
        default: return .stored
        }
    }

    /// Begins an upload in parts; gives its id.
    func beginUpload(_ key: String) async throws -> String {
        var call = Call(verb: "begin to write", method: "POST", key: key, isWrite: true)
        call.query = [("uploads", "")]
        if configuration.checksums {
            call.headers = [
                ("x-amz-checksum-algorithm", "SHA256"), ("x-amz-checksum-type", "COMPOSITE"),
            ]
        }
        var id = ""
        try await perform(call) { answer in
            let tree = try? XMLTree(answer.body)
            guard let found = tree?.text("UploadId"), !found.isEmpty else {
                throw S3Failure(damaged: "the answer names no upload")
            }
            id = found
        }
        return id
    }

    /// Sends a part of an upload.
    func upload(
        _ key: String, id: String, number: Int, _ body: [UInt8]
    ) async throws -> Part {
        let digest = SignatureV4.sha256(body)
        var call = Call(
            verb: "write part \(number) of", method: "PUT", key: key, body: body, isWrite: true)
        call.query = [("partNumber", "\(number)"), ("uploadId", id)]
        call.headers = checksumHeaders(digest)
        var etag = ""
        var isChecked = false
        try await perform(call) { answer in
            isChecked = answer.headers["x-amz-checksum-sha256"] != nil
            guard let found = answer.headers["etag"], !found.isEmpty else {
                throw S3Failure(damaged: "the answer has no ETag")
            }
            etag = found
        }
        return Part(number: number, etag: etag, digest: digest, isChecked: isChecked)
    }

    /// Makes an object of an upload's parts.
    ///
    /// - Returns: `nil` when the upload is not known any more: it may have been completed by a
    ///   request whose answer was lost.
    func completeUpload(
        _ key: String, id: String, _ parts: [Part], replacing: Bool
    ) async throws -> Outcome? {
        let isConditional = !replacing && usesConditions
        var call = Call(
            verb: "end writing", method: "POST", key: key,
            body: Self.document(parts), isWrite: true,
            understood: isConditional ? [404, 409, 412, 501] : [404])
        call.query = [("uploadId", id)]
        if isConditional { call.headers = [("if-none-match", "*")] }
        let answer = try await perform(call) { answer in
            // S3 may begin with 200 and fail afterwards.
            guard (200..<300).contains(answer.status) else { return }
            guard let tree = try? XMLTree(answer.body), tree.name != "Error" else {
                var failure = S3Failure(answer)
                failure.status = 500
                throw failure
            }
        }
        switch answer.status {
        case 404:
            let failure = S3Failure(answer)
            if failure.isMissingBucket { throw error(failure, call) }
            return nil
        case 409, 412: return .exists
        case 501:
            refusedCondition()
            return try await completeUpload(key, id: id, parts, replacing: true)
        default: return .stored
        }
    }

    /// Drops an upload; one that is not known is no error.
    func abortUpload(_ key: String, id: String) async throws {
        var call = Call(
            verb: "drop what was written of", method: "DELETE", key: key, isWrite: true,
            understood: [404])
        call.query = [("uploadId", id)]
        try await perform(call)
    }

    private func checksumHeaders(_ digest: PayloadDigest) -> [(name: String, value: String)] {
        guard configuration.checksums else { return [] }
        return [
            ("x-amz-sdk-checksum-algorithm", "SHA256"), ("x-amz-checksum-sha256", digest.base64),
        ]
    }

    private static func document(_ parts: [Part]) -> [UInt8] {
        var text =
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for part in parts {
            let checksum =
                part.isChecked
                ? "<ChecksumSHA256>\(part.digest.base64)</ChecksumSHA256>" : ""
            text +=
                "<Part><PartNumber>\(part.number)</PartNumber>"
                + "<ETag>\(escaped(part.etag))</ETag>\(checksum)</Part>"
        }
        return Array((text + "</CompleteMultipartUpload>").utf8)
    }

    private static func escaped(_ text: String) -> String {
        var out = ""
        for character in text {
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            default: out.append(character)
            }
        }
        return out
    }
}
