import Crypto
package import LinajeDomain

/// AWS Signature Version 4 in the Authorization header ("Signing and authenticating REST requests",
/// Amazon S3 API reference): a value, no input or output.
package struct SignatureV4: Sendable, Hashable {
    /// What is signed of a request. Paths and queries as they are sent, percent-encoded; header
    /// names in lower case, and every header given here is signed.
    package struct Request: Sendable {
        package var method: String
        package var path: String
        package var query: String
        package var headers: [(name: String, value: String)]
        /// SHA-256 of the body in hex.
        package var payloadHash: String

        package init(
            method: String, path: String, query: String,
            headers: [(name: String, value: String)], payloadHash: String
        ) {
            self.method = method
            self.path = path
            self.query = query
            self.headers = headers
            self.payloadHash = payloadHash
        }
    }

    private static let algorithm = "AWS4-HMAC-SHA256"

    package var region: String
    package var service: String

    package init(region: String, service: String = "s3") {
        self.region = region
        self.service = service
    }

    /// The value of the Authorization header.
    package func authorization(
        _ request: Request, at time: SigningTime, with credentials: S3Credentials
    ) -> String {
        let text = stringToSign(request, at: time)
        let signature = Self.hmac(text, key: signingKey(credentials.secretAccessKey, time))
        return "\(Self.algorithm) Credential=\(credentials.accessKeyID)/\(scope(time)), "
            + "SignedHeaders=\(Self.signedHeaders(request)), "
            + "Signature=\(Hex.encode(signature))"
    }

    package func canonicalRequest(_ request: Request) -> String {
        let headers = request.headers.sorted { $0.name < $1.name }
            .map { "\($0.name):\(Self.trimmed($0.value))\n" }
        return [
            request.method, request.path, request.query, headers.joined(),
            Self.signedHeaders(request), request.payloadHash,
        ].joined(separator: "\n")
    }

    package func stringToSign(_ request: Request, at time: SigningTime) -> String {
        [
            Self.algorithm, time.text, scope(time),
            Self.sha256(Array(canonicalRequest(request).utf8)).hex,
        ].joined(separator: "\n")
    }

    /// A digest in the two forms in which S3 wants it.
    package static func sha256(_ bytes: [UInt8]) -> PayloadDigest {
        PayloadDigest(bytes: Array(SHA256.hash(data: bytes)))
    }

    private func scope(_ time: SigningTime) -> String {
        "\(time.day)/\(region)/\(service)/aws4_request"
    }

    private func signingKey(_ secret: Secret, _ time: SigningTime) -> SymmetricKey {
        var key = SymmetricKey(data: Array(("AWS4" + secret.value).utf8))
        for part in [time.day, region, service, "aws4_request"] {
            key = SymmetricKey(data: Self.hmac(part, key: key))
        }
        return key
    }

    private static func hmac(_ text: String, key: SymmetricKey) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
    }

    private static func signedHeaders(_ request: Request) -> String {
        request.headers.map(\.name).sorted().joined(separator: ";")
    }

    /// Without white space at the ends, runs of it as one space.
    private static func trimmed(_ value: String) -> String {
        value.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    }
}

/// The SHA-256 of a body.
package struct PayloadDigest: Sendable, Hashable {
    package let bytes: [UInt8]

    package var hex: String { Hex.encode(bytes) }
    package var base64: String { Base64.encode(bytes) }
}

/// A moment as signatures have it: "20150830T123600Z" and "20150830".
package struct SigningTime: Sendable, Hashable {
    package let text: String
    package var day: String { String(text.prefix(8)) }

    package init(_ moment: Timestamp) {
        // "2015-08-30T12:36:00.000000Z" without its marks and its fraction.
        text = String(moment.text.prefix(19).filter { $0 != "-" && $0 != ":" }) + "Z"
    }
}

/// Base64 of RFC 4648, with padding.
enum Base64 {
    static func encode(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(start + 3, bytes.count)]
            var word: UInt32 = 0
            for byte in part { word = word << 8 | UInt32(byte) }
            word <<= UInt32(8 * (3 - part.count))
            for place in 0..<4 {
                out.append(
                    place <= part.count
                        ? digits[Int(word >> UInt32(18 - 6 * place) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
