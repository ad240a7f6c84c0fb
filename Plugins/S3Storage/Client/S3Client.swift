package import LinajeDomain
import Synchronization

/// Signs requests for one bucket, sends them, and repeats those that may succeed then.
package final class S3Client: Sendable {
    /// One request, before it is signed.
    struct Call: Sendable {
        /// For messages: "read", "write".
        var verb: String
        var method: String
        /// `nil`: the bucket itself.
        var key: String?
        var query: [(name: String, value: String)] = []
        var headers: [(name: String, value: String)] = []
        var body: [UInt8] = []
        var isWrite = false
        /// Answers but 2xx that the caller understands by itself.
        var understood: Set<Int> = []
        /// Most bytes of the answer's body.
        var mostBytes = S3Client.mostAnswerBytes
    }

    /// Longest answer that is no object: a page of a list, an error.
    static let mostAnswerBytes = 8 << 20

    let configuration: S3Configuration
    let endpoint: S3Endpoint
    private let credentials: CredentialStore
    private let transport: HTTPTransport
    private let now: @Sendable () -> Timestamp
    private let signature: SignatureV4
    private let budget = RetryBudget()
    /// The server's clock less this machine's, in microseconds; 0 until a server complains.
    private let skew = Atomic<Int64>(0)
    /// When the bucket was seen last, and whether the server knows conditional writes.
    private let seen = Mutex<(bucket: ContinuousClock.Instant?, refusesConditions: Bool)>(
        (nil, false))

    package init(
        _ configuration: S3Configuration, endpoint: S3Endpoint, credentials: CredentialStore,
        transport: HTTPTransport, now: @Sendable @escaping () -> Timestamp
    ) {
        self.configuration = configuration
        self.endpoint = endpoint
        self.credentials = credentials
        self.transport = transport
        self.now = now
        signature = SignatureV4(region: configuration.region)
    }

    /// Whether writes may say `If-None-Match`.
    var usesConditions: Bool {
        configuration.conditionalWrites && !seen.withLock { $0.refusesConditions }
    }

    /// The server has said that it does not know conditional writes.
    func refusedCondition() { seen.withLock { $0.refusesConditions = true } }

    /// Sends a call until it succeeds or repeating it is no use.
    ///
    /// - Parameter check: looks at an answer that is a success; an `S3Failure` that it throws counts
    ///   as one of the server.
    /// - Returns: an answer of 2xx, or one that the call understands.
    /// - Throws: `LinajeError`, `CancellationError`.
    @discardableResult
    func perform(
        _ call: Call, check: (HTTPTransport.Answer) throws -> Void = { _ in }
    ) async throws -> HTTPTransport.Answer {
        var attempt = 1
        var triedOtherCredentials = false
        var triedServerTime = false
        while true {
            try Task.checkCancellation()
            let signer = try await credentials.credentials()
            let failure: S3Failure
            do {
                let answer = try await send(call, signer)
                try check(answer)
                budget.succeeded(afterRetry: attempt > 1)
                return answer
            } catch let error as S3Failure {
                failure = error
            }
            switch failure.remedy {
            case .otherCredentials where !triedOtherCredentials:
                triedOtherCredentials = true
                await credentials.refused(signer)
            case .serverTime where !triedServerTime && failure.serverTime != nil:
                triedServerTime = true
                let difference = (failure.serverTime?.microseconds ?? 0) - now().microseconds
                skew.store(difference, ordering: .relaxed)
            case .repeating
            where attempt < configuration.attempts && budget.take(afterTimeout: failure.isTimeout):
                try await Task.sleep(for: pause(after: attempt, failure.retryAfter))
            default:
                throw error(failure, call, tries: attempt, origin: signer.origin)
            }
            attempt += 1
        }
    }

    /// Whether the bucket is there, asked at most once a minute: a server answers HEAD of an object
    /// in a missing bucket as it answers for a missing object.
    ///
    /// - Throws: naming the bucket when it isn't.
    func requireBucket() async throws {
        let last = seen.withLock { $0.bucket }
        if let last, last.duration(to: .now) < .seconds(60) { return }
        // Whoever may not list a bucket is told 403; that it is there is all that is asked.
        let answer = try await perform(
            Call(verb: "look at", method: "HEAD", understood: [403, 404]))
        if answer.status == 404 {
            var failure = S3Failure(answer)
            failure.code = "NoSuchBucket"
            failure.message = "the bucket does not exist"
            throw failure.error(
                "look at bucket \(configuration.bucket)", bucket: configuration.bucket,
                isWrite: false, origin: nil)
        }
        seen.withLock { $0.bucket = .now }
    }

    /// The error of a failure that a caller has found by itself.
    func error(
        _ failure: S3Failure, _ call: Call, tries: Int = 1, origin: String? = nil
    ) -> LinajeError {
        let what = call.key.map { "object \(endpoint.objectName($0)) of " } ?? ""
        let often = tries > 1 ? " (tried \(tries) times)" : ""
        return failure.error(
            "\(call.verb) \(what)bucket \(configuration.bucket)\(often)",
            bucket: configuration.bucket, isWrite: call.isWrite, origin: origin)
    }

    private func send(
        _ call: Call, _ signer: S3Credentials
    ) async throws -> HTTPTransport.Answer {
        let request = signed(call, signer)
        let answer: HTTPTransport.Answer
        do {
            answer = try await transport.send(
                request, mostBytes: call.mostBytes, timeout: configuration.requestTimeout)
        } catch let failure as HTTPTransport.Failure {
            throw S3Failure(failure)
        }
        guard (200..<300).contains(answer.status) || call.understood.contains(answer.status) else {
            throw S3Failure(answer)
        }
        return answer
    }

    private func signed(_ call: Call, _ signer: S3Credentials) -> HTTPTransport.Request {
        let time = SigningTime(
            Timestamp(microseconds: now().microseconds &+ skew.load(ordering: .relaxed)))
        let path = endpoint.path(call.key)
        let digest = SignatureV4.sha256(call.body)
        var headers = call.headers
        headers.append(("host", endpoint.host))
        headers.append(("x-amz-content-sha256", digest.hex))
        headers.append(("x-amz-date", time.text))
        if let token = signer.sessionToken { headers.append(("x-amz-security-token", token.value)) }
        let authorization = signature.authorization(
            .init(
                method: call.method, path: path, query: PercentEncoding.query(call.query),
                headers: headers, payloadHash: digest.hex), at: time, with: signer)
        headers.append(("authorization", authorization))
        return HTTPTransport.Request(
            method: call.method, url: endpoint.url(path: path, query: call.query),
            headers: headers, body: call.body)
    }

    /// Somewhere between nothing and the whole of it, so that those who failed together do not come
    /// back together.
    private func pause(after attempt: Int, _ wanted: Duration?) -> Duration {
        let most = min(
            configuration.firstBackOff * (1 << min(attempt - 1, 16)), configuration.longestBackOff)
        return (wanted ?? .zero) + most * Double.random(in: 0...1)
    }
}
