import Glibc
import LinajeDomain
public import LinajePluginKit

/// Objects as files below one folder.
///
/// ```
/// ROOT/            0700
///   tmp/.tmp-…     objects on their way; what a crash left is removed at the first call
///   packs/ab/…     an object, by its key
/// ```
/// An object is written to a temporary file of the same file system, fsynced, renamed, and its
/// folder fsynced: it is there whole and durable or not at all. The folders on the way to it are
/// made durable first. Nothing below ROOT but `tmp` is touched that no key names.
///
/// An fsync that failed is final: nothing is written or removed any more (`storageFailed`) until the
/// daemon starts again. Reads go on.
///
/// All blocking calls run on threads of its own.
public struct FilesystemStorage: ArtifactBackend {
    private let directory: StorageDirectory

    /// - Parameters:
    ///   - root: an absolute path; the folder is made by the first call that needs it.
    ///   - keepsTemporaryFiles: whether what a crash left stays, and no folder is made: for
    ///     somebody who only looks.
    public init(root: String, keepsTemporaryFiles: Bool = false) {
        self.directory = StorageDirectory(root: root, onlyLooks: keepsTemporaryFiles)
    }

    public var descriptor: PluginDescriptor {
        PluginDescriptor(name: "filesystem", kind: .artifactBackend, version: "1.0.0")
    }

    public var properties: ArtifactBackendProperties {
        ArtifactBackendProperties(parallelRequests: StorageDirectory.threads, isRemote: false)
    }

    public func put(_ key: String) async throws -> any ArtifactWriter {
        let key = try StorageKey(key)
        return try await directory.run { try $0.writer(key) }
    }

    public func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] {
        let key = try StorageKey(key)
        return try await directory.run { try $0.read(key, range) }
    }

    public func stat(_ key: String) async throws -> UInt64? {
        let key = try StorageKey(key)
        return try await directory.run { try $0.size(key) }
    }

    public func list(prefix: String) async throws -> [(key: String, size: UInt64)] {
        try StorageKey.check(prefix: prefix)
        return try await directory.run { try $0.list(prefix) }
    }

    public func remove(_ key: String) async throws {
        let key = try StorageKey(key)
        try await directory.run { try $0.remove(key) }
    }
}
