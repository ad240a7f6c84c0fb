#if S3
    import AsyncHTTPClient
    import NIOCore
    import NIOHTTP1
    import NIOPosix
#endif

/// Sends one request and takes the whole answer, within bounds of time and size.
///
/// Redirections are not followed: a signature is good for one host only, and nobody else is to see
/// what it signs.
package final class HTTPTransport: Sendable {
    package struct Request: Sendable {
        package var method: String
        package var url: String
        package var headers: [(name: String, value: String)]
        package var body: [UInt8]

        package init(
            method: String, url: String, headers: [(name: String, value: String)] = [],
            body: [UInt8] = []
        ) {
            self.method = method
            self.url = url
            self.headers = headers
            self.body = body
        }
    }

    package struct Answer: Sendable {
        package var status: Int
        /// By name in lower case; the first of each.
        package var headers: [String: String]
        package var body: [UInt8]
    }

    /// A request that got no whole answer.
    package struct Failure: Error, Sendable {
        /// For people: "the connection ended early".
        package var reason: String
        package var isTimeout: Bool
    }

    #if S3
        private let client: HTTPClient

        package init(
            connections: Int, connectTimeout: Duration, idleTimeout: Duration,
            hosts: [String: String] = [:]
        ) {
            var configuration = HTTPClient.Configuration(
                redirectConfiguration: .disallow,
                timeout: .init(
                    connect: TimeAmount(connectTimeout), read: TimeAmount(idleTimeout),
                    write: TimeAmount(idleTimeout)),
                decompression: .disabled)
            configuration.httpVersion = .http1Only
            configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
            configuration.dnsOverride = hosts
            client = HTTPClient(
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
        }

        // The client keeps itself alive until it is shut down; nobody has to wait for that.
        deinit { client.shutdown { _ in } }

        /// - Parameters:
        ///   - mostBytes: of the answer's body; a longer one is a failure.
        ///   - timeout: for all of it.
        /// - Throws: `Failure`, `CancellationError`.
        package func send(
            _ request: Request, mostBytes: Int, timeout: Duration
        ) async throws -> Answer {
            let end = ContinuousClock.now + timeout
            do {
                let response = try await client.execute(
                    Self.clientRequest(request), timeout: TimeAmount(timeout))
                var body: [UInt8] = []
                let announced = response.headers.first(name: "content-length").flatMap(Int.init)
                if request.method != "HEAD", let announced {
                    guard (0...mostBytes).contains(announced) else {
                        throw Self.tooLong(announced, mostBytes)
                    }
                    body.reserveCapacity(announced)
                }
                for try await part in response.body {
                    guard body.count + part.readableBytes <= mostBytes else {
                        throw Self.tooLong(body.count + part.readableBytes, mostBytes)
                    }
                    body += part.readableBytesView
                    guard ContinuousClock.now < end else {
                        throw Failure(reason: "the answer did not end in time", isTimeout: true)
                    }
                }
                // A body whose reader was cancelled looks as if it had ended.
                try Task.checkCancellation()
                if request.method != "HEAD", let announced, body.count != announced {
                    throw Failure(
                        reason: "the answer ended after \(body.count) of \(announced) bytes",
                        isTimeout: false)
                }
                return Answer(
                    status: Int(response.status.code), headers: Self.headers(response.headers),
                    body: body)
            } catch let failure as Failure {
                throw failure
            } catch {
                throw Self.failure(error)
            }
        }

        private static func clientRequest(_ request: Request) -> HTTPClientRequest {
            var out = HTTPClientRequest(url: request.url)
            out.method = HTTPMethod(rawValue: request.method)
            for header in request.headers {
                out.headers.add(name: header.name, value: header.value)
            }
            if !request.body.isEmpty {
                out.body = .bytes(ByteBuffer(bytes: request.body))
            } else if request.method == "PUT" || request.method == "POST" {
                // Said in words, or the server waits for a body.
                out.body = .bytes(ByteBuffer())
            }
            return out
        }

        private static func headers(_ headers: HTTPHeaders) -> [String: String] {
            var out: [String: String] = [:]
            for header in headers where out[header.name.lowercased()] == nil {
                out[header.name.lowercased()] = header.value
            }
            return out
        }

        private static func tooLong(_ count: Int, _ most: Int) -> Failure {
            Failure(
                reason: "the answer has \(count) bytes where at most \(most) are expected",
                isTimeout: false)
        }

        /// - Returns: `Failure`, or `CancellationError` where the caller's task was cancelled.
        private static func failure(_ error: any Error) -> any Error {
            if error is CancellationError || Task.isCancelled { return CancellationError() }
            if let error = error as? HTTPParserError {
                return Failure(
                    reason: "the answer was cut or is no HTTP (\(error))", isTimeout: false)
            }
            guard let known = error as? HTTPClientError else {
                // What NIO says of sockets and of answers that are no HTTP names no secret.
                return Failure(reason: String("\(error)".prefix(300)), isTimeout: false)
            }
            switch known {
            case .readTimeout, .writeTimeout, .deadlineExceeded, .connectTimeout,
                .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
                return Failure(reason: "it did not answer in time", isTimeout: true)
            case .remoteConnectionClosed:
                return Failure(reason: "the connection ended early", isTimeout: false)
            default:
                return Failure(reason: known.shortDescription, isTimeout: false)
            }
        }
    #else
        package init(
            connections: Int, connectTimeout: Duration, idleTimeout: Duration,
            hosts: [String: String] = [:]
        ) {}

        package func send(
            _ request: Request, mostBytes: Int, timeout: Duration
        ) async throws -> Answer {
            throw Failure(
                reason: "this program is built without S3; build it with the trait S3",
                isTimeout: false)
        }
    #endif
}

#if S3
    extension TimeAmount {
        /// - Parameter duration: cut to what can be counted in nanoseconds.
        fileprivate init(_ duration: Duration) {
            let (seconds, attoseconds) = duration.components
            let whole = min(max(seconds, 0), 1 << 32)
            self = .nanoseconds(whole * 1_000_000_000 + attoseconds / 1_000_000_000)
        }
    }
#endif
