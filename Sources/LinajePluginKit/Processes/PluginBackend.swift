import FoundationEssentials
import LinajeDomain
import LinajeWire
import Synchronization

/// What a `PluginBackend` asks: a process that answers for a store.
protocol BackendPeer: Sendable {
    func ask<Request: Sendable, Response: Sendable>(
        _ method: LinajeWire.Method<Request, Response>, _ request: Request
    ) async throws -> Response

    func shutdown() async
}

/// A store that somebody else's program keeps, as an artifact backend: what the daemon holds.
///
/// A few processes of the program work side by side; each is started when it is first needed, locked
/// up (with a network if its manifest asks for it), told the place, and started again after a crash,
/// with growing waits. A process that crashes, hangs or speaks nonsense fails the requests that it had,
/// as `unavailable`.
public final class PluginBackend: ArtifactBackend {
    /// Most bytes of an object in an answer (`backend.proto`).
    static let pieceBytes = 1 << 20
    /// Most bytes of an object in a request, which is shorter with all that is around them than
    /// `Limits.requestBytes`.
    static let appendBytes = 512 << 10
    /// Processes.
    static let width = 4

    /// What a listing may come to: a plugin that never ends one must not take the daemon's memory.
    struct ListingBounds: Sendable {
        /// Most objects. So many full packs are 64 TiB.
        var objects = 4 << 20
        /// Most bytes of all keys together; a pack's has 78.
        var keysBytes = 256 << 20
        /// Longest key in bytes.
        var keyBytes = 1_024
        /// When another page is not asked for any more.
        var time = Duration.seconds(3_600)
    }

    public let descriptor: PluginDescriptor
    public let properties = ArtifactBackendProperties(
        parallelRequests: PluginBackend.width, isRemote: true)
    private let processes: [any BackendPeer]
    private let bounds: ListingBounds
    /// Requests that each process has or waits for.
    private let load = Mutex([Int](repeating: 0, count: PluginBackend.width))
    private let uploads = Atomic<UInt64>(0)

    /// - Parameter processes: As many as `width`.
    init(
        _ descriptor: PluginDescriptor, processes: [any BackendPeer],
        bounds: ListingBounds = ListingBounds()
    ) {
        self.descriptor = descriptor
        self.processes = processes
        self.bounds = bounds
    }

    /// Starts nothing yet.
    ///
    /// - Parameters:
    ///   - program: Absolute path of the plugin's program.
    ///   - host: Absolute path of `linaje-flavor-host`, which locks it up.
    ///   - memory: Address space of each process in bytes.
    ///   - place: Where the objects are, as the plugin understands it.
    ///   - options: What else its address says.
    ///   - deadline: Longest request.
    public convenience init(
        _ program: String, of manifest: PluginManifest, by host: String, memory: UInt64? = nil,
        place: String, options: [String: String], deadline: Duration = .seconds(120)
    ) {
        var request = Linaje_V1_OpenBackendRequest()
        request.place = place
        request.options = options
        let opening = request
        let processes = (0..<Self.width).map { _ in
            PluginProcess(
                confined: program, of: manifest, by: host, memory: memory,
                configuration: PluginProcessConfiguration(deadline: deadline)
            ) { session in
                _ = try await session.call(Methods.openBackend, opening, serving: nil)
            }
        }
        self.init(manifest.descriptor, processes: processes)
    }

    public func put(_ key: String) async throws -> any ArtifactWriter {
        let upload = uploads.wrappingAdd(1, ordering: .relaxed).newValue
        let place = idlest()
        var request = Linaje_V1_PutObjectRequest()
        request.upload = upload
        request.key = key
        _ = try await ask(Methods.putObject, request, of: place)
        return Writer(backend: self, place: place, upload: upload, key: key)
    }

    public func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] {
        let place = idlest()
        var out: [UInt8] = []
        var offset = range.lowerBound
        while offset < range.upperBound {
            let wanted = Int(min(range.upperBound - offset, UInt64(Self.pieceBytes)))
            var request = Linaje_V1_GetObjectRequest()
            request.key = key
            request.offset = offset
            request.length = UInt32(wanted)
            let data = try await ask(Methods.getObject, request, of: place).data
            guard data.count <= wanted else {
                throw nonsense("\(data.count) bytes of \(key) where \(wanted) were asked for")
            }
            out += data
            offset += UInt64(data.count)
            if data.count < wanted { break }
        }
        return out
    }

    public func stat(_ key: String) async throws -> UInt64? {
        var request = Linaje_V1_StatObjectRequest()
        request.key = key
        let response = try await ask(Methods.statObject, request, of: idlest())
        return response.hasSize ? response.size : nil
    }

    /// - Throws: `limitExceeded` for a listing beyond the bounds.
    public func list(prefix: String) async throws -> [(key: String, size: UInt64)] {
        let place = idlest()
        let start = ContinuousClock.now
        var out: [(key: String, size: UInt64)] = []
        var keysBytes = 0
        var request = Linaje_V1_ListObjectsRequest()
        request.prefix = prefix
        while true {
            let page = try await ask(Methods.listObjects, request, of: place)
            for object in page.objects {
                let length = object.key.utf8.count
                guard length <= bounds.keyBytes else {
                    throw nonsense("a key of \(length) bytes, after \"\(request.after)\"")
                }
                guard object.key.hasPrefix(prefix),
                    request.after.utf8.lexicographicallyPrecedes(object.key.utf8)
                else {
                    throw nonsense(
                        "\"\(object.key)\", which is out of order or was not asked for")
                }
                keysBytes += length
                guard out.count < bounds.objects, keysBytes <= bounds.keysBytes else {
                    throw tooLong(
                        prefix,
                        "more than \(bounds.objects) objects or \(bounds.keysBytes) bytes "
                            + "of keys")
                }
                out.append((object.key, object.size))
                request.after = object.key
            }
            if page.isEnd { return out }
            guard !page.objects.isEmpty else {
                throw nonsense("an empty page that is not the last, after \"\(request.after)\"")
            }
            try Task.checkCancellation()
            guard start.duration(to: .now) < bounds.time else {
                throw tooLong(prefix, "\(out.count) objects in \(bounds.time) and has not ended")
            }
        }
    }

    public func remove(_ key: String) async throws {
        var request = Linaje_V1_RemoveObjectRequest()
        request.key = key
        _ = try await ask(Methods.removeObject, request, of: idlest())
    }

    /// Ends its processes.
    public func close() async {
        for process in processes { await process.shutdown() }
    }

    // MARK: Processes

    /// The process with the least to do, the first of them: others are not started without need.
    private func idlest() -> Int {
        load.withLock { load in load.indices.min { load[$0] < load[$1] } ?? 0 }
    }

    fileprivate func ask<Request: Sendable, Response: Sendable>(
        _ method: LinajeWire.Method<Request, Response>, _ request: Request, of place: Int
    ) async throws -> Response {
        load.withLock { $0[place] += 1 }
        defer { load.withLock { $0[place] -= 1 } }
        do {
            return try await processes[place].ask(method, request)
        } catch let error as LinajeError where error.code == .pluginFailed {
            throw LinajeError(.unavailable, error.message)
        }
    }

    private func nonsense(_ what: String) -> LinajeError {
        LinajeError(.unavailable, "storage plugin \"\(descriptor.name)\" gave \(what)")
    }

    private func tooLong(_ prefix: String, _ what: String) -> LinajeError {
        LinajeError(
            .limitExceeded,
            "storage plugin \"\(descriptor.name)\" lists \(what) below \"\(prefix)\"; keep "
                + "fewer there, or mend the plugin")
    }

    /// An object on its way; its pieces go to the process that it was begun in.
    private struct Writer: ArtifactWriter {
        let backend: PluginBackend
        let place: Int
        let upload: UInt64
        let key: String

        func write(_ bytes: [UInt8]) async throws {
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, start + PluginBackend.appendBytes)
                var request = Linaje_V1_AppendObjectRequest()
                request.upload = upload
                request.data = Data(bytes[start..<end])
                try await going(Methods.appendObject, request)
                start = end
            }
        }

        func commit() async throws {
            var request = Linaje_V1_CommitObjectRequest()
            request.upload = upload
            try await going(Methods.commitObject, request)
        }

        func abort() async {
            var request = Linaje_V1_AbortObjectRequest()
            request.upload = upload
            _ = try? await backend.ask(Methods.abortObject, request, of: place)
        }

        /// A process that was started anew does not know the object.
        private func going<Request: Sendable>(
            _ method: LinajeWire.Method<Request, Linaje_V1_Done>, _ request: Request
        ) async throws {
            do {
                _ = try await backend.ask(method, request, of: place)
            } catch let error as LinajeError where error.code == .notFound {
                throw LinajeError(
                    .unavailable,
                    "storage plugin \"\(backend.descriptor.name)\" ended while \(key) was on its way; "
                        + "try again")
            }
        }
    }
}
