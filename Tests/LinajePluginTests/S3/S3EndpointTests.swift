import LinajeDomain
import Testing

@testable import S3Storage

@Suite("S3 addresses")
struct S3EndpointTests {
    @Test("a bucket of AWS is part of the host")
    func aws() throws {
        let endpoint = try S3Endpoint(S3Configuration(bucket: "models", region: "eu-central-1"))
        #expect(endpoint.host == "models.s3.eu-central-1.amazonaws.com")
        #expect(
            endpoint.url(path: endpoint.path("packs/ab.pack"), query: [])
                == "https://models.s3.eu-central-1.amazonaws.com/packs/ab.pack")
        #expect(endpoint.path(nil) == "/")
    }

    @Test("a bucket that no certificate covers, and one of another server, is part of the path")
    func inPath() throws {
        let dotted = try S3Endpoint(S3Configuration(bucket: "models.example.org"))
        #expect(dotted.host == "s3.us-east-1.amazonaws.com")
        #expect(dotted.path("a") == "/models.example.org/a")
        let other = try S3Endpoint(
            S3Configuration(bucket: "models", prefix: "team/x/", endpoint: "http://[::1]:9000/"))
        #expect(other.host == "[::1]:9000")
        #expect(other.path("a") == "/models/team/x/a")
        #expect(other.path(nil) == "/models")
        #expect(other.key(of: "team/x/packs/a") == "packs/a")
        #expect(other.key(of: "team/y/packs/a") == nil)
        #expect(other.key(of: "team/x/.hidden") == nil)
    }

    @Test("the scheme's own port is not in the host, which is signed")
    func ports() throws {
        for (endpoint, host) in [
            ("https://storage.googleapis.com:443", "storage.googleapis.com"),
            ("http://s3.local:80", "s3.local"), ("https://s3.local:80", "s3.local:80"),
        ] {
            #expect(
                try S3Endpoint(S3Configuration(bucket: "models", endpoint: endpoint)).host == host)
        }
    }

    @Test("virtual hosts go before another server's name when that is asked for")
    func virtualHost() throws {
        let endpoint = try S3Endpoint(
            S3Configuration(
                bucket: "models", endpoint: "https://s3.local:8443", addressing: .virtualHost))
        #expect(endpoint.host == "models.s3.local:8443")
        #expect(endpoint.path("a") == "/a")
    }

    @Test(
        "what is no bucket, prefix, region, endpoint or bound is refused by name",
        arguments: [
            (S3Configuration(bucket: "ab"), "bucket"),
            (S3Configuration(bucket: "Models"), "bucket"),
            (S3Configuration(bucket: "models/../x"), "bucket"),
            (S3Configuration(bucket: "a..b"), "bucket"),
            (S3Configuration(bucket: "a_b", addressing: .virtualHost), "host name"),
            (S3Configuration(bucket: "models", prefix: "x"), "prefix"),
            (S3Configuration(bucket: "models", prefix: "/"), "prefix"),
            (S3Configuration(bucket: "models", prefix: "a/../"), "prefix"),
            (S3Configuration(bucket: "models", region: "eu.example.com/"), "region"),
            (S3Configuration(bucket: "models", endpoint: "s3.local"), "endpoint"),
            (S3Configuration(bucket: "models", endpoint: "ftp://s3.local"), "endpoint"),
            (S3Configuration(bucket: "models", endpoint: "http://s3.local/path"), "endpoint"),
            (S3Configuration(bucket: "models", endpoint: "http://u:p@s3.local"), "endpoint"),
            (S3Configuration(bucket: "models", endpoint: "http://s3.local:99999"), "endpoint"),
            (S3Configuration(bucket: "models", endpoint: "http://"), "endpoint"),
            (S3Configuration(bucket: "models", endpoint: "http://169.254.169.254"), "metadata"),
            (S3Configuration(bucket: "models", endpoint: "http://169.254.170.2:80"), "metadata"),
            (S3Configuration(bucket: "models", endpoint: "http://2852039166"), "metadata"),
            (S3Configuration(bucket: "models", endpoint: "http://0xa9fea9fe"), "metadata"),
            (S3Configuration(bucket: "models", endpoint: "http://169.16689662"), "metadata"),
            (S3Configuration(bucket: "models", endpoint: "http://[fd00:ec2::254]"), "metadata"),
            (S3Configuration(bucket: "models", endpoint: "http://[fe80::1]:80"), "metadata"),
            (S3Configuration(bucket: "models", endpoint: "http://[::ffff:a9fe:1]"), "metadata"),
            (S3Configuration(bucket: "models", endpoint: "http://[::1"), "endpoint"),
            (S3Configuration(bucket: "models", endpoint: "http://[1.2]"), "endpoint"),
            (S3Configuration(bucket: "models", partBytes: 1), "part size"),
            (S3Configuration(bucket: "models", parallelRequests: 0), "parallel"),
            (S3Configuration(bucket: "models", attempts: 0), "attempts"),
        ])
    func refused(configuration: S3Configuration, what: String) throws {
        let error = #expect(throws: LinajeError.self) { try S3Endpoint(configuration) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(what) == true)
        #expect(error?.message.contains("u:p") == false)
    }
}
