/// Which bucket an `S3Storage` keeps its objects in, and how it is reached.
public struct S3Configuration: Sendable, Hashable {
    /// How a request names the bucket.
    public enum Addressing: String, Sendable, Hashable, CaseIterable {
        /// In the host where that works: at AWS itself, for names that TLS certificates cover.
        case automatic
        /// `https://host/bucket/key`: what most other servers want.
        case path
        /// `https://bucket.host/key`.
        case virtualHost = "virtual-host"
    }

    /// The smallest part that S3 takes, but for an object's last.
    public static let smallestPartBytes = 5 << 20
    /// The largest part that is held in memory.
    public static let largestPartBytes = 64 << 20

    public var bucket: String
    /// What every object's name begins with: "" or parts joined by "/" that end with one.
    public var prefix: String
    public var region: String
    /// "https://host" or "http://host:port"; `nil`: AWS in that region.
    public var endpoint: String?
    public var addressing: Addressing
    /// The profile of the shared configuration files; `nil`: `AWS_PROFILE`, else "default".
    public var profile: String?
    /// Bytes of a part of an upload, and of a range of a download: larger ones are divided.
    public var partBytes: Int
    /// Requests of one call that run at the same time.
    public var parallelRequests: Int
    /// How often a request is sent at most.
    public var attempts: Int
    /// The first pause before a repetition, at most; each further one may be twice as long.
    public var firstBackOff: Duration
    /// The longest such pause.
    public var longestBackOff: Duration
    public var connectTimeout: Duration
    /// How long a connection may be silent.
    public var idleTimeout: Duration
    /// How long one attempt may take, its body included.
    public var requestTimeout: Duration
    /// Whether writes ask not to replace an object (`If-None-Match`). Servers that do not know that
    /// are noticed when they say so.
    public var conditionalWrites: Bool
    /// Whether objects are stored with their SHA-256, which S3 compares and gives back.
    public var checksums: Bool

    public init(
        bucket: String, prefix: String = "", region: String = "us-east-1", endpoint: String? = nil,
        addressing: Addressing = .automatic, profile: String? = nil, partBytes: Int = 8 << 20,
        parallelRequests: Int = 8, attempts: Int = 5, firstBackOff: Duration = .milliseconds(100),
        longestBackOff: Duration = .seconds(5), connectTimeout: Duration = .seconds(5),
        idleTimeout: Duration = .seconds(30), requestTimeout: Duration = .seconds(120),
        conditionalWrites: Bool = true, checksums: Bool = true
    ) {
        self.bucket = bucket
        self.prefix = prefix
        self.region = region
        self.endpoint = endpoint
        self.addressing = addressing
        self.profile = profile
        self.partBytes = partBytes
        self.parallelRequests = parallelRequests
        self.attempts = attempts
        self.firstBackOff = firstBackOff
        self.longestBackOff = longestBackOff
        self.connectTimeout = connectTimeout
        self.idleTimeout = idleTimeout
        self.requestTimeout = requestTimeout
        self.conditionalWrites = conditionalWrites
        self.checksums = checksums
    }
}
