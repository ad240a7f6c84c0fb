import LinajeDomain
import Testing

@testable import S3Storage

/// The examples that AWS has published: "Signature Calculations for the Authorization Header" of the
/// Amazon S3 API reference, and the Signature Version 4 test suite.
@Suite("Signature Version 4")
struct SignatureV4Tests {
    struct Example: Sendable, CustomStringConvertible {
        var name: String
        var service = "s3"
        var method = "GET"
        var path = "/"
        var query: [(name: String, value: String)] = []
        var headers: [(name: String, value: String)] = []
        var body = ""
        var token: String?
        var signature: String

        var description: String { name }
    }

    static let examples = [
        Example(
            name: "GET Object", path: "/test.txt", headers: [("range", "bytes=0-9")],
            signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        Example(
            name: "PUT Object", method: "PUT", path: PercentEncoding.path("/test$file.text"),
            headers: [
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            body: "Welcome to Amazon S3.",
            signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        Example(
            name: "GET Bucket Lifecycle", query: [("lifecycle", "")],
            signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        Example(
            name: "GET Bucket (List Objects)", query: [("prefix", "J"), ("max-keys", "2")],
            signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        // Not published; what botocore's S3SigV4Auth makes of it.
        Example(
            name: "with a session token", path: "/test.txt", token: "a-session-token",
            signature: "6d568a07056fa22e4381c94ac60ccb5ab8948f18ff9ab75476741478b44a878c"),
        Example(
            name: "get-vanilla", service: "service",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Example(
            name: "get-vanilla-query-order-key-case", service: "service",
            query: [("Param2", "value2"), ("Param1", "value1")],
            signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        Example(
            name: "post-vanilla", service: "service", method: "POST",
            signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ]

    @Test("gives the published signatures", arguments: examples)
    func published(example: Example) throws {
        let isS3 = example.service == "s3"
        let moment = try #require(
            Timestamp(text: isS3 ? "2013-05-24T00:00:00Z" : "2015-08-30T12:36:00Z"))
        let time = SigningTime(moment)
        let digest = SignatureV4.sha256(Array(example.body.utf8))
        var headers = example.headers
        headers.append(
            ("host", isS3 ? "examplebucket.s3.amazonaws.com" : "example.amazonaws.com"))
        headers.append(("x-amz-date", time.text))
        if isS3 { headers.append(("x-amz-content-sha256", digest.hex)) }
        if let token = example.token { headers.append(("x-amz-security-token", token)) }
        let credentials = S3Credentials(
            accessKeyID: isS3 ? "AKIAIOSFODNN7EXAMPLE" : "AKIDEXAMPLE",
            secretAccessKey: Secret(
                isS3
                    ? "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
                    : "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"), origin: "the example")
        let text = SignatureV4(region: "us-east-1", service: example.service).authorization(
            .init(
                method: example.method, path: example.path,
                query: PercentEncoding.query(example.query), headers: headers,
                payloadHash: digest.hex), at: time, with: credentials)
        #expect(text.hasSuffix("Signature=\(example.signature)"))
        let day = isS3 ? "20130524" : "20150830"
        #expect(
            text.hasPrefix(
                "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(day)/us-east-1/"
                    + "\(example.service)/aws4_request, SignedHeaders="))
    }

    @Test("paths and queries are encoded as signatures want them")
    func encoding() {
        #expect(PercentEncoding.path("/a b/ü~_.-/c+d") == "/a%20b/%C3%BC~_.-/c%2Bd")
        #expect(
            PercentEncoding.query([("b", "/="), ("a", "2"), ("a", "1"), ("uploads", "")])
                == "a=1&a=2&b=%2F%3D&uploads=")
        #expect(PercentEncoding.decode("a%2Fb+c%zz%4") == "a/b c%zz%4")
    }

    @Test(
        "digests are written in Base64",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="),
            ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ])
    func base64(text: String, encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
    }

    @Test("a server's clock is read from its Date header")
    func date() throws {
        let found = try #require(HTTPDate.parse("Wed, 21 Oct 2015 07:28:00 GMT"))
        #expect(found == Timestamp(text: "2015-10-21T07:28:00Z"))
        for wrong in ["", "Wed, 21 Oct 2015", "Wed, 21 Okt 2015 07:28:00 GMT", "yesterday"] {
            #expect(HTTPDate.parse(wrong) == nil, "\(wrong)")
        }
    }
}
