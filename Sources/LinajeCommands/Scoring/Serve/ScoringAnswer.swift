import LinajeDomain
import NIOHTTP1

/// What the scoring server answers, as MLflow's does (MLflow 3, `pyfunc/scoring_server`).
struct ScoringAnswer: Sendable {
    var status: HTTPResponseStatus
    var type = "application/json"
    var body: [UInt8]
    var allow: String?

    /// An error in MLflow's form.
    static func failure(_ status: HTTPResponseStatus, _ code: String, _ message: String) -> Self {
        ScoringAnswer(
            status: status,
            body: Array(
                JSONValue.object([
                    ("error_code", .string(code)), ("message", .string(message)),
                ]).text.utf8))
    }

    static func text(_ text: String) -> Self {
        ScoringAnswer(status: .ok, type: "text/plain; charset=utf-8", body: Array(text.utf8))
    }

    /// Longest answer in bytes.
    static let mostBytes = 256 << 20

    /// {"predictions": …}
    ///
    /// - Throws: `limitExceeded` for more than `mostBytes`.
    static func predictions(
        _ predictions: Predictions, mostBytes: Int = mostBytes
    ) throws -> Self {
        var body = Array("{\"predictions\": ".utf8)
        switch predictions {
        case .answered(let value): value.plain.write(to: &body)
        case .scored(let output):
            body.append(UInt8(ascii: "["))
            for row in 0..<output.count {
                if row > 0 { body += ", ".utf8 }
                output.value(row).write(to: &body)
                try check(body, mostBytes)
            }
            body.append(UInt8(ascii: "]"))
        }
        body.append(UInt8(ascii: "}"))
        try check(body, mostBytes)
        return ScoringAnswer(status: .ok, body: body)
    }

    private static func check(_ body: [UInt8], _ mostBytes: Int) throws {
        guard body.count <= mostBytes else {
            throw LinajeError(
                .limitExceeded,
                "the predictions take more than \(ByteCount(UInt64(clamping: mostBytes))); send fewer rows"
            )
        }
    }

    /// What an error is to who asked.
    init(_ error: any Error) {
        let error =
            error as? LinajeError ?? LinajeError(.internalError, "the model failed: \(error)")
        switch error.code {
        case .invalidArgument, .limitExceeded, .notFound, .failedPrecondition:
            self = .failure(.badRequest, "BAD_REQUEST", error.message)
        case .overloaded, .unavailable:
            self = .failure(.serviceUnavailable, "TEMPORARILY_UNAVAILABLE", error.message)
        default: self = .failure(.internalServerError, "INTERNAL_ERROR", error.message)
        }
    }

    init(
        status: HTTPResponseStatus, type: String = "application/json", body: [UInt8],
        allow: String? = nil
    ) {
        self.status = status
        self.type = type
        self.body = body
        self.allow = allow
    }
}

/// A request for predictions, without its transport.
enum ScoringRoutes {
    /// Answers a request that was let in.
    ///
    /// - Parameter type: Its Content-Type.
    static func answer(
        _ method: HTTPMethod, _ uri: String, type: String?, body: [UInt8],
        _ engine: any ScoringEngine
    ) async -> ScoringAnswer {
        switch String(uri.prefix { $0 != "?" }) {
        case "/ping", "/health":
            guard method == .GET || method == .HEAD else { return wrongMethod("GET, HEAD") }
            return .text("\n")
        case "/version":
            guard method == .GET || method == .HEAD else { return wrongMethod("GET, HEAD") }
            return .text(LinajeProgram.version)
        case "/invocations":
            guard method == .POST else { return wrongMethod("POST") }
            do {
                return try .predictions(try await predictions(type, body, engine))
            } catch let answer as Unsupported {
                return .failure(.unsupportedMediaType, "BAD_REQUEST", answer.message)
            } catch {
                return ScoringAnswer(error)
            }
        default:
            return .failure(
                .notFound, "ENDPOINT_NOT_FOUND",
                "there are /invocations, /ping, /health and /version")
        }
    }

    private struct Unsupported: Error {
        var message: String
    }

    private static func predictions(
        _ type: String?, _ body: [UInt8], _ engine: any ScoringEngine
    ) async throws -> Predictions {
        let parts = (type ?? "").split(separator: ";").map { part in
            String(part.trimmingPrefix(while: \.isWhitespace)).lowercased()
        }
        for part in parts.dropFirst() where part.hasPrefix("charset=") {
            guard ["charset=utf-8", "charset=\"utf-8\""].contains(part) else {
                throw Unsupported(message: "the body must be in UTF-8, not \(part)")
            }
        }
        switch parts.first {
        case "application/json"?:
            return try await engine.predict(try ScoringRequest(parsing: body))
        case "text/csv"? where engine.takesWholeFiles:
            return try await engine.score(.csv(body), params: nil)
        case "text/csv"?:
            var batches = CSVBatches(engine)
            try batches.take(body)
            try batches.finish()
            return try await engine.score(batches.next(), params: nil)
        default:
            throw Unsupported(
                message: "the content types are application/json and text/csv, not "
                    + "\(type.map { "\"\($0.prefix(100))\"" } ?? "none")")
        }
    }

    private static func wrongMethod(_ allowed: String) -> ScoringAnswer {
        var answer = ScoringAnswer.failure(
            .methodNotAllowed, "BAD_REQUEST", "use \(allowed)")
        answer.allow = allowed
        return answer
    }
}
