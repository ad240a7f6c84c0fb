import LinajeDomain

/// Where packs are kept, checked as far as that needs no network.
struct ArtifactSettings: Sendable {
    /// The kinds of stores that packs may be kept in.
    enum Backend: String, Sendable, CaseIterable { case filesystem, s3 }

    /// As long as nobody says how much: 10 GiB.
    static let standardCache = 10 << 30
    /// The smallest cache that is of use.
    static let smallestCache = 64 << 20

    var backend: Backend
    /// Bytes of the local disk for a cache; `nil`: none.
    var cache: ByteCount?
    var s3: DaemonConfiguration.S3
    var remotes: [String: String]

    /// - Throws: `invalidArgument` naming the key whose value is not allowed.
    init(_ configuration: DaemonConfiguration) throws {
        let name = configuration.artifacts.backend ?? Backend.filesystem.rawValue
        guard let backend = Backend(rawValue: name) else {
            throw LinajeError(
                .invalidArgument,
                "artifacts.backend \"\(name.prefix(80))\" is not known; use filesystem or s3")
        }
        self.backend = backend
        let bytes = configuration.artifacts.cache_bytes ?? Self.standardCache
        guard bytes == 0 || (Self.smallestCache...1 << 50).contains(bytes) else {
            throw LinajeError(
                .invalidArgument,
                "artifacts.cache_bytes \(bytes) is out of bounds; use 0 for none, or "
                    + "\(Self.smallestCache) to \(1 << 50)")
        }
        cache = backend == .filesystem || bytes == 0 ? nil : ByteCount(UInt64(bytes))
        s3 = configuration.s3
        remotes = configuration.artifacts.remotes ?? [:]
        try BuiltinStorage.check(self)
    }

    /// For people: where packs are kept.
    var summary: String {
        switch backend {
        case .filesystem: "in the state directory"
        case .s3:
            "in bucket \(s3.bucket ?? "")"
                + (cache.map { ", up to \($0) of them kept near by" } ?? "")
        }
    }
}
