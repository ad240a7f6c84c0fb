package import LinajeDomain

/// Why a request came to nothing: what the server said, or that it said nothing of use.
package struct S3Failure: Error, Sendable {
    /// 0 where there was no answer.
    package var status = 0
    /// S3's name of the error: "NoSuchKey"; "" where it gave none.
    package var code = ""
    /// For people.
    package var message: String
    /// S3's name of the request, for whoever runs the server.
    package var requestID: String?
    /// Where the bucket is, when it isn't here.
    package var region: String?
    /// The server's clock.
    package var serverTime: Timestamp?
    /// How long to wait, when the server says so.
    package var retryAfter: Duration?
    package var isTimeout = false

    /// What to do about it.
    package enum Remedy: Sendable, Hashable {
        /// Send it again after a pause.
        case repeating
        /// Send it again with other credentials.
        case otherCredentials
        /// Send it again with the server's time.
        case serverTime
        case none
    }

    /// A request without a whole answer.
    package init(_ failure: HTTPTransport.Failure) {
        message = failure.reason
        isTimeout = failure.isTimeout
    }

    /// An answer that is not what was asked for.
    package init(damaged message: String) { self.message = Self.plain(message, 300) }

    /// An error of the server.
    package init(_ answer: HTTPTransport.Answer) {
        status = answer.status
        message = "status \(answer.status)"
        requestID = answer.headers["x-amz-request-id"].map { Self.plain($0, 100) }
        region = answer.headers["x-amz-bucket-region"].map { Self.plain($0, 63) }
        serverTime = answer.headers["date"].flatMap(HTTPDate.parse)
        retryAfter = answer.headers["retry-after"].flatMap(Int64.init).map {
            .seconds(min(max($0, 0), 20))
        }
        guard let error = try? XMLTree(answer.body), error.name == "Error" else { return }
        code = Self.plain(error.text("Code") ?? "", 100)
        if let text = error.text("Message"), !text.isEmpty { message = Self.plain(text, 300) }
        requestID = requestID ?? error.text("RequestId").map { Self.plain($0, 100) }
        region = region ?? error.text("Region").map { Self.plain($0, 63) }
    }

    /// A server's words as they may stand in a log: no line of it begins with them.
    private static func plain(_ text: String, _ most: Int) -> String {
        var out = ""
        for scalar in text.unicodeScalars.prefix(most) {
            let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
            out.unicodeScalars.append(isControl ? " " : scalar)
        }
        return out
    }

    package var remedy: Remedy {
        switch code {
        case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken":
            .otherCredentials
        case "RequestTimeTooSkewed": .serverTime
        case "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "Throttling",
            "ThrottlingException", "OperationAborted", "ConditionalRequestConflict", "BadDigest",
            "XAmzContentSHA256Mismatch", "InvalidDigest", "IncompleteBody":
            .repeating
        case "NotImplemented": .none
        default:
            [0, 409, 429].contains(status) || (status >= 500 && ![501, 507].contains(status))
                ? .repeating : .none
        }
    }

    package var isMissingBucket: Bool { code == "NoSuchBucket" }
    package var isMissingObject: Bool { code == "NoSuchKey" }

    /// What it means to whoever called the backend.
    ///
    /// - Parameters:
    ///   - doing: "write object packs/ab.pack of bucket models".
    ///   - isWrite: whether the call would have changed the bucket.
    ///   - origin: whose credentials they were; `nil` when none were found yet.
    package func error(
        _ doing: String, bucket: String, isWrite: Bool, origin: String?
    ) -> LinajeError {
        let (errorCode, advice) = meaning(bucket: bucket, isWrite: isWrite, origin: origin)
        let said = code.isEmpty ? message : "\(message) (\(code))"
        var details = ["bucket": bucket]
        if let requestID { details["s3_request"] = requestID }
        if !code.isEmpty { details["s3_error"] = code }
        return LinajeError(
            errorCode, "cannot \(doing): \(said); \(advice)", details: details)
    }

    private func meaning(
        bucket: String, isWrite: Bool, origin: String?
    ) -> (LinajeError.Code, String) {
        let whose = origin.map { " of \($0)" } ?? ""
        switch code {
        case "NoSuchKey": return (.notFound, "check its name")
        case "NoSuchBucket":
            return (.failedPrecondition, "create bucket \(bucket) or correct its name and endpoint")
        case "RequestTimeTooSkewed":
            return (
                .failedPrecondition,
                "this machine's clock and the server's differ: set it by NTP (timedatectl)"
            )
        case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken",
            "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired":
            return (.failedPrecondition, "correct or renew the credentials\(whose)")
        case "QuotaExceeded", "XMinioStorageFull", "InsufficientStorage":
            return (.storageFull, "free space in bucket \(bucket) or raise its quota")
        case "PermanentRedirect", "AuthorizationHeaderMalformed", "TemporaryRedirect":
            let place = region.map { "it is in region \($0): set that" } ?? "set its region"
            return (.failedPrecondition, "bucket \(bucket) is elsewhere; \(place)")
        case "AccessDenied", "AllAccessDisabled", "MethodNotAllowed":
            return denied(bucket, isWrite, whose)
        default: break
        }
        switch status {
        case 301, 307, 308:
            let place = region.map { "it is in region \($0): set that" } ?? "set its region"
            return (.failedPrecondition, "bucket \(bucket) is elsewhere; \(place)")
        case 401, 403: return denied(bucket, isWrite, whose)
        case 404: return (.notFound, "check the names of bucket \(bucket) and object")
        case 507: return (.storageFull, "free space in bucket \(bucket) or raise its quota")
        default:
            return remedy == .repeating
                ? (.unavailable, "try again later, or check the endpoint of bucket \(bucket)")
                : (.failedPrecondition, "check the endpoint and settings of bucket \(bucket)")
        }
    }

    private func denied(
        _ bucket: String, _ isWrite: Bool, _ whose: String
    ) -> (LinajeError.Code, String) {
        let actions =
            "s3:GetObject, s3:PutObject, s3:DeleteObject, s3:ListBucket and "
            + "s3:AbortMultipartUpload"
        return (
            isWrite ? .readOnly : .failedPrecondition,
            "allow the credentials\(whose) \(actions) on bucket \(bucket)"
        )
    }
}
