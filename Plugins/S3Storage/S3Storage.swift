import Glibc
package import LinajeDomain
public import LinajePluginKit

/// Objects in a bucket of Amazon S3, or of a server that speaks its protocol.
///
/// A write is durable when the server has acknowledged it whole; it replaces nothing that is right
/// already. Every request is signed with the digest of its body; every answer is compared with what
/// was asked for, and asked for again when it isn't that. Requests that fail for a moment are
/// repeated, within a budget of all requests together.
///
/// Errors name bucket and object: `notFound` for an object, `failedPrecondition` for a bucket, a
/// region or credentials that are wrong, `readOnly`, `storageFull`, `unavailable` after the last
/// repetition. None is `storageFailed`: what a person mends on the server works again at once.
public struct S3Storage: ArtifactBackend {
    package let client: S3Client

    /// - Parameters:
    ///   - environment: of the process: credentials are looked for there and in the places that it
    ///     names.
    /// - Throws: `invalidArgument` naming the value of the configuration that is not allowed.
    public init(_ configuration: S3Configuration, environment: [String: String]) throws {
        try self.init(configuration, environment: environment, hosts: [:], now: Self.systemTime)
    }

    /// - Parameters:
    ///   - hosts: addresses to use in place of a name service's.
    ///   - now: the time that signatures have.
    package init(
        _ configuration: S3Configuration, environment: [String: String], hosts: [String: String],
        now: @Sendable @escaping () -> Timestamp
    ) throws {
        let transport = HTTPTransport(
            // More than run at a time: who waits for a connection uses up the time to connect.
            connections: max(32, 4 * configuration.parallelRequests),
            connectTimeout: configuration.connectTimeout,
            idleTimeout: configuration.idleTimeout, hosts: hosts)
        let files = SharedFiles(environment, profile: configuration.profile)
        let metadata: [any CredentialSource] = [
            ContainerCredentials(environment, transport: transport),
            InstanceCredentials(environment, transport: transport),
        ]
        // A profile that was asked for by name goes before what happens to be in the environment.
        let first: [any CredentialSource] =
            configuration.profile == nil
            ? [EnvironmentCredentials(environment), files] : [files]
        client = S3Client(
            configuration, endpoint: try S3Endpoint(configuration),
            credentials: CredentialStore(first + metadata, now: now), transport: transport,
            now: now)
    }

    public var descriptor: PluginDescriptor {
        PluginDescriptor(name: "s3", kind: .artifactBackend, version: "1.0.0")
    }

    public var properties: ArtifactBackendProperties {
        ArtifactBackendProperties(
            parallelRequests: client.configuration.parallelRequests, isRemote: true)
    }

    public func put(_ key: String) async throws -> any ArtifactWriter {
        try ObjectKey.check(key)
        return S3Writer(client: client, key: key)
    }

    /// A range that is longer than a part is fetched in several requests at the same time.
    public func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] {
        try ObjectKey.check(key)
        // S3 counts bytes in 63 bits.
        let range = range.clamped(to: 0..<UInt64(Int64.max))
        guard !range.isEmpty else {
            guard try await client.facts(key) != nil else { throw notFound(key) }
            return []
        }
        let part = UInt64(client.configuration.partBytes)
        let first =
            range
            .lowerBound..<min(
                range.upperBound, Self.sum(range.lowerBound, part))
        let piece = try await client.read(key, first)
        let end = min(range.upperBound, piece.total)
        guard first.upperBound < end else { return piece.bytes }
        return try await rest(key, first.upperBound..<end, total: piece.total, after: piece.bytes)
    }

    public func stat(_ key: String) async throws -> UInt64? {
        try ObjectKey.check(key)
        return try await client.facts(key)?.size
    }

    public func list(prefix: String) async throws -> [(key: String, size: UInt64)] {
        try ObjectKey.check(prefix: prefix)
        let found = try await client.list(prefix: prefix)
        return found.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    public func remove(_ key: String) async throws {
        try ObjectKey.check(key)
        try await client.remove(key)
    }

    /// Fetches the pieces of a range at the same time, and puts them together in their order.
    private func rest(
        _ key: String, _ range: Range<UInt64>, total: UInt64, after first: [UInt8]
    ) async throws -> [UInt8] {
        let part = UInt64(client.configuration.partBytes)
        return try await withThrowingTaskGroup(of: (UInt64, [UInt8]).self) { group in
            var next = range.lowerBound
            func begin() {
                guard next < range.upperBound else { return }
                let piece = next..<min(Self.sum(next, part), range.upperBound)
                next = piece.upperBound
                group.addTask {
                    let found = try await client.read(key, piece)
                    guard found.total == total, found.bytes.count == piece.count else {
                        throw changed(key)
                    }
                    return (piece.lowerBound, found.bytes)
                }
            }
            for _ in 0..<client.configuration.parallelRequests { begin() }
            // Nothing is made as large as the server says that the object is: it may say anything.
            var out = first
            var end = range.lowerBound
            var early: [UInt64: [UInt8]] = [:]
            for try await (start, bytes) in group {
                early[start] = bytes
                while let bytes = early.removeValue(forKey: end) {
                    out += bytes
                    end += UInt64(bytes.count)
                }
                begin()
            }
            return out
        }
    }

    private func notFound(_ key: String) -> LinajeError {
        LinajeError(
            .notFound,
            "cannot read object \(client.endpoint.objectName(key)) of bucket "
                + "\(client.configuration.bucket): it does not exist; check its name")
    }

    private func changed(_ key: String) -> LinajeError {
        LinajeError(
            .unavailable,
            "object \(client.endpoint.objectName(key)) of bucket \(client.configuration.bucket) "
                + "changed while it was read; try again")
    }

    private static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }

    @Sendable private static func systemTime() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(
            microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }
}
