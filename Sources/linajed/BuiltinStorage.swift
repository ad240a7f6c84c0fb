import FilesystemStorage
import LinajeDecorators
import LinajeDomain
import LinajePluginKit
import S3Storage
import SQLiteBackend

/// The storage plugins in the box: the one place of the daemon that knows them.
enum BuiltinStorage {
    /// Where packs are kept, with a cache before it and counters around it where it is far away.
    ///
    /// - Parameters:
    ///   - environment: of the process: where S3's credentials are looked for.
    ///   - keepingTemporaryFiles: whether packs that a killed daemon had on their way stay.
    static func artifacts(
        _ settings: ArtifactSettings, stateDirectory: String, environment: [String: String],
        keepingTemporaryFiles: Bool = false
    ) throws -> any ArtifactBackend {
        switch settings.backend {
        case .filesystem:
            return FilesystemStorage(
                root: stateDirectory, keepsTemporaryFiles: keepingTemporaryFiles)
        case .s3:
            let store = try bucket(settings.s3, environment: environment)
            // Whoever only looks wants to see the bucket itself.
            guard let cache = settings.cache, !keepingTemporaryFiles else { return store }
            return CachingBackend(
                store, local: FilesystemStorage(root: stateDirectory + "/cache"),
                capacity: cache)
        }
    }

    /// A store without the cache before it.
    static func original(of backend: any ArtifactBackend) -> any ArtifactBackend {
        (backend as? CachingBackend)?.backend ?? backend
    }

    /// - Throws: `invalidArgument` for settings that no store can be made of.
    static func check(_ settings: ArtifactSettings) throws {
        if settings.backend == .s3 { _ = try bucket(settings.s3, environment: [:]) }
        for (name, text) in settings.remotes {
            _ = try Names.remote(name)
            let address = try RemoteAddress(parsing: text)
            // Whether there is such a plugin is seen when the daemon runs.
            if address.scheme != .plugin { _ = try open(address, environment: [:]) }
        }
    }

    /// A store that a plugin keeps, with counters, and another try where it fails for a moment.
    static func wrapped(_ backend: any ArtifactBackend) -> any ArtifactBackend {
        MeteredBackend(RetryingBackend(backend))
    }

    /// A store of packs beside the daemon's own, that is not a plugin's.
    ///
    /// - Throws: `invalidArgument` naming what is not possible.
    static func open(
        _ address: RemoteAddress, environment: [String: String]
    ) throws -> any ArtifactBackend {
        switch address.scheme {
        case .file: return FilesystemStorage(root: address.path)
        case .plugin:
            throw LinajeError(
                .invalidArgument, "\(address) is a storage plugin's; it can only be a remote")
        case .s3:
            var settings = DaemonConfiguration.S3()
            settings.bucket = address.bucket
            settings.prefix = address.path
            settings.region = address.options["region"]
            settings.endpoint = address.options["endpoint"]
            settings.addressing = address.options["addressing"]
            settings.profile = address.options["profile"]
            settings.conditional_writes = try flag(address, "conditional_writes")
            settings.checksums = try flag(address, "checksums")
            return try bucket(settings, environment: environment)
        }
    }

    private static func flag(_ address: RemoteAddress, _ name: String) throws -> Bool? {
        guard let text = address.options[name] else { return nil }
        guard let value = Bool(text) else {
            throw LinajeError(
                .invalidArgument, "\(name) of remote \(address) is \"\(text)\"; use true or false")
        }
        return value
    }

    /// A bucket, with its counters.
    private static func bucket(
        _ settings: DaemonConfiguration.S3, environment: [String: String]
    ) throws -> any ArtifactBackend {
        var configuration = try s3(settings)
        if settings.region == nil,
            let region = environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"]
        {
            configuration.region = region
        }
        #if S3
            return MeteredBackend(try S3Storage(configuration, environment: environment))
        #else
            throw LinajeError(
                .invalidArgument,
                "bucket \(configuration.bucket) cannot be used: this linajed is built without S3")
        #endif
    }

    static func catalog(stateDirectory: String) throws -> any SQLBackend {
        try SQLiteBackend(path: stateDirectory + "/catalog.db")
    }

    static func metrics(stateDirectory: String) throws -> any SQLBackend {
        try SQLiteBackend(path: stateDirectory + "/metrics.db")
    }

    private static func s3(_ settings: DaemonConfiguration.S3) throws -> S3Configuration {
        guard let bucket = settings.bucket, !bucket.isEmpty else {
            throw LinajeError(
                .invalidArgument,
                "no bucket is named; set s3.bucket")
        }
        var out = S3Configuration(bucket: bucket)
        if let prefix = settings.prefix { out.prefix = prefix }
        if let region = settings.region { out.region = region }
        out.endpoint = settings.endpoint
        out.profile = settings.profile
        if let text = settings.addressing {
            guard let addressing = S3Configuration.Addressing(rawValue: text) else {
                throw LinajeError(
                    .invalidArgument,
                    "s3.addressing \"\(text.prefix(80))\" is not known; use automatic, path or "
                        + "virtual-host")
            }
            out.addressing = addressing
        }
        if let bytes = settings.part_bytes { out.partBytes = bytes }
        if let count = settings.parallel_requests { out.parallelRequests = count }
        if let conditional = settings.conditional_writes { out.conditionalWrites = conditional }
        if let checksums = settings.checksums { out.checksums = checksums }
        return out
    }
}
