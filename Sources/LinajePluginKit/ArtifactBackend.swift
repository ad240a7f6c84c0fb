import LinajeDomain

/// A store of immutable objects by opaque key: the file system, S3, a third party's service.
///
/// Keys are made by the daemon from digests ("packs/ab/abcd….pack"): lower-case letters, digits,
/// ".", "-" and "/"; never from client input. A backend keeps no state of its own about them.
///
/// All methods may be called at the same time from any task. Errors are `LinajeError`:
/// `notFound` for a key that is not there, `storageFull`, `readOnly`, `unavailable` when trying
/// again may help, `storageFailed` when it will not.
public protocol ArtifactBackend: Sendable {
    /// What the store is.
    var descriptor: PluginDescriptor { get }
    /// What the store guarantees.
    var properties: ArtifactBackendProperties { get }

    /// Opens an object for writing. It is not visible under its key before `commit` returns.
    func put(_ key: String) async throws -> any ArtifactWriter

    /// Reads `range` of the object's bytes; shorter only at the object's end.
    func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8]

    /// The object's size in bytes, or `nil` when it is not there.
    func stat(_ key: String) async throws -> UInt64?

    /// All keys that begin with `prefix`, with their sizes in bytes, in the order of their bytes.
    func list(prefix: String) async throws -> [(key: String, size: UInt64)]

    /// Removes the object; one that is not there is no error.
    func remove(_ key: String) async throws

    /// Gives up what the backend holds: processes, connections. Nothing is asked of it afterwards.
    func close() async
}

extension ArtifactBackend {
    public func close() async {}
}

/// An object on its way into an `ArtifactBackend`. Used by one task at a time.
public protocol ArtifactWriter: Sendable {
    /// Appends bytes.
    func write(_ bytes: [UInt8]) async throws

    /// Makes the object durable and visible under its key. An object of the same key is replaced by
    /// one with the same content, as keys are made from content.
    func commit() async throws

    /// Drops what was written. Harmless after `commit`.
    func abort() async
}

/// What an `ArtifactBackend` guarantees.
public struct ArtifactBackendProperties: Sendable, Hashable {
    /// Requests that may usefully run at the same time.
    public var parallelRequests: Int
    /// Whether errors are common enough that callers should retry.
    public var isRemote: Bool

    public init(parallelRequests: Int, isRemote: Bool) {
        self.parallelRequests = parallelRequests
        self.isRemote = isRemote
    }
}
