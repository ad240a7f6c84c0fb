import Glibc
import LinajeDomain

/// Where requests for a bucket go: a configuration, checked and made into addresses.
package struct S3Endpoint: Sendable, Hashable {
    package let scheme: String
    /// As the `host` header says it: with the port unless it is the scheme's own.
    package let host: String
    /// "" or "/bucket".
    private let bucketPath: String
    private let prefix: String

    /// - Throws: `invalidArgument` naming the value that is not allowed.
    package init(_ configuration: S3Configuration) throws {
        let bucket = configuration.bucket
        guard Self.isBucketName(bucket) else {
            throw LinajeError(
                .invalidArgument,
                "bucket \"\(bucket.prefix(80))\" is no bucket's name; use 3 to 63 of a-z, 0-9, "
                    + "\"-\", \".\" and \"_\"")
        }
        guard configuration.prefix.isEmpty || Self.isPrefix(configuration.prefix) else {
            throw LinajeError(
                .invalidArgument,
                "prefix \"\(configuration.prefix.prefix(80))\" of bucket \(bucket) is not allowed; "
                    + "use parts of letters, digits, \"-\", \"_\" and \".\", each ending with \"/\""
            )
        }
        guard Self.isLabel(configuration.region) else {
            throw LinajeError(
                .invalidArgument,
                "region \"\(configuration.region.prefix(80))\" is no region; use one like us-east-1"
            )
        }
        try Self.checkBounds(configuration)
        let (scheme, host) = try Self.server(configuration)
        let inPath =
            switch configuration.addressing {
            case .path: true
            case .virtualHost: false
            case .automatic: configuration.endpoint != nil || !Self.isLabel(bucket)
            }
        guard inPath || !bucket.contains("_") else {
            throw LinajeError(
                .invalidArgument,
                "bucket \(bucket) can be no part of a host name; set addressing to \"path\"")
        }
        self.scheme = scheme
        self.host = inPath ? host : "\(bucket).\(host)"
        bucketPath = inPath ? "/\(bucket)" : ""
        prefix = configuration.prefix
    }

    /// The path of an object, percent-encoded; of the bucket itself for `nil`.
    package func path(_ key: String?) -> String {
        guard let key else { return bucketPath.isEmpty ? "/" : bucketPath }
        return bucketPath + "/" + PercentEncoding.path(prefix + key)
    }

    package func url(path: String, query: [(name: String, value: String)]) -> String {
        let text = PercentEncoding.query(query)
        return "\(scheme)://\(host)\(path)" + (text.isEmpty ? "" : "?\(text)")
    }

    /// An object's name in the bucket.
    package func objectName(_ key: String) -> String { prefix + key }

    /// The key of an object's name; `nil` when it is none of ours.
    package func key(of name: String) -> String? {
        guard name.hasPrefix(prefix) else { return nil }
        let key = String(name.dropFirst(prefix.count))
        return ObjectKey.isValid(key) ? key : nil
    }

    // MARK: Checks

    private static func server(
        _ configuration: S3Configuration
    ) throws -> (scheme: String, host: String) {
        guard let endpoint = configuration.endpoint else {
            let china = configuration.region.hasPrefix("cn-") ? ".cn" : ""
            return ("https", "s3.\(configuration.region).amazonaws.com\(china)")
        }
        for (scheme, port) in [("https", ":443"), ("http", ":80")]
        where endpoint.hasPrefix(scheme + "://") {
            var host = endpoint.dropFirst(scheme.count + 3)
            if host.hasSuffix("/") { host = host.dropLast() }
            guard isServer(host) else { break }
            return (scheme, String(host.hasSuffix(port) ? host.dropLast(port.count) : host))
        }
        // Without a user and password, which do not belong there but may be.
        let shown = endpoint.lastIndex(of: "@").map { "…" + endpoint[$0...] } ?? endpoint
        throw LinajeError(
            .invalidArgument,
            "endpoint \"\(shown.prefix(200))\" is no address of an S3 server; use https://HOST or "
                + "http://HOST:PORT, without a path, and no address of a machine's own metadata")
    }

    private static func isServer(_ text: Substring) -> Bool {
        var host = text
        if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
            guard let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
                return false
            }
            host = text[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            guard let bytes = address(host.dropFirst().dropLast(), AF_INET6, 16) else {
                return false
            }
            return !isLinkLocal(bytes)
        }
        // Where the last part is a number, name services read the whole as an address, in forms
        // that nobody would take for one ("2852039166").
        if let last = host.split(separator: ".").last, last.first?.isNumber == true {
            guard let bytes = address(host, AF_INET, 4) else { return false }
            return !isLinkLocal(bytes)
        }
        return !host.isEmpty && host.utf8.count <= 253 && host != "metadata.google.internal"
            && host.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: ".") }
    }

    /// The bytes of an IP address in its usual form; `nil` for anything else.
    private static func address(_ text: Substring, _ family: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return inet_pton(family, String(text), &bytes) == 1 ? bytes : nil
    }

    /// Whether an address is one of those where machines ask for their own metadata, a role's
    /// credentials among it: 169.254.0.0/16, fe80::/10, fd00:ec2::/32.
    private static func isLinkLocal(_ bytes: [UInt8]) -> Bool {
        let isMapped = bytes.count == 16 && bytes.starts(with: mappedPrefix)
        let bytes = isMapped ? Array(bytes.suffix(4)) : bytes
        return bytes.count == 4
            ? bytes.starts(with: [169, 254])
            : bytes.starts(with: [0xfd, 0x00, 0x0e, 0xc2])
                || (bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80)
    }

    /// What an IPv6 address begins with that stands for one of IPv4.
    private static let mappedPrefix = [UInt8](repeating: 0, count: 10) + [0xff, 0xff]

    private static func checkBounds(_ configuration: S3Configuration) throws {
        func check(_ value: Int, _ range: ClosedRange<Int>, _ name: String) throws {
            guard !range.contains(value) else { return }
            throw LinajeError(
                .invalidArgument,
                "\(name) \(value) of bucket \(configuration.bucket) is out of bounds; use "
                    + "\(range.lowerBound) to \(range.upperBound)")
        }
        try check(
            configuration.partBytes,
            S3Configuration.smallestPartBytes...S3Configuration.largestPartBytes, "part size")
        try check(configuration.parallelRequests, 1...64, "number of parallel requests")
        try check(configuration.attempts, 1...20, "number of attempts")
    }

    private static func isBucketName(_ text: String) -> Bool {
        (3...63).contains(text.utf8.count) && !text.hasPrefix(".") && !text.contains("..")
            && text.utf8.allSatisfy {
                (isWordByte($0) || $0 == UInt8(ascii: "."))
                    && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
            }
    }

    private static func isPrefix(_ text: String) -> Bool {
        text.hasSuffix("/") && text.utf8.count <= 300
            && text.dropLast().split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && !$0.hasPrefix(".")
                    && $0.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: ".") }
            }
    }

    /// One part of a host name.
    private static func isLabel(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 63
            && text.utf8.allSatisfy { isWordByte($0) && $0 != UInt8(ascii: "_") }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
