import FoundationEssentials
import LinajeDomain
import LinajeWire

/// An artifact backend in a process of its own, seen from the process.
actor HostedBackend: HostedPlugin {
    /// Most objects on their way at once.
    static let mostUploads = 256
    /// Objects of one answer.
    private static let pageObjects = 10_000

    nonisolated let descriptor: PluginDescriptor
    private let open: BackendHost.Opening
    private var backend: (any ArtifactBackend)?
    private var uploads: [UInt64: any ArtifactWriter] = [:]
    /// What was listed last and is asked for page by page.
    private var listing: (prefix: String, objects: [(key: String, size: UInt64)])?

    init(_ descriptor: PluginDescriptor, open: @escaping BackendHost.Opening) {
        self.descriptor = descriptor
        self.open = open
    }

    nonisolated var flavors: [String] { [] }

    func answer(_ call: HostedCall) async throws -> [UInt8] {
        try await answer(call.opcode, call.message)
    }

    func answer(_ opcode: UInt16, _ message: [UInt8]) async throws -> [UInt8] {
        switch opcode {
        case Methods.openBackend.opcode:
            let request = try Linaje_V1_OpenBackendRequest(payload: message)
            guard backend == nil else {
                throw LinajeError(.failedPrecondition, "the place was named already")
            }
            backend = try await open(request.place, request.options)
        case Methods.putObject.opcode:
            try await put(try Linaje_V1_PutObjectRequest(payload: message))
        case Methods.appendObject.opcode:
            let request = try Linaje_V1_AppendObjectRequest(payload: message)
            try await upload(request.upload).write([UInt8](request.data))
        case Methods.commitObject.opcode:
            let number = try Linaje_V1_CommitObjectRequest(payload: message).upload
            try await upload(number).commit()
            uploads[number] = nil
        case Methods.abortObject.opcode:
            let number = try Linaje_V1_AbortObjectRequest(payload: message).upload
            await uploads.removeValue(forKey: number)?.abort()
        case Methods.getObject.opcode:
            return try await get(try Linaje_V1_GetObjectRequest(payload: message)).payload()
        case Methods.statObject.opcode:
            let size = try await store.stat(try Linaje_V1_StatObjectRequest(payload: message).key)
            var response = Linaje_V1_StatObjectResponse()
            if let size { response.size = size }
            return try response.payload()
        case Methods.listObjects.opcode:
            return try await list(try Linaje_V1_ListObjectsRequest(payload: message)).payload()
        case Methods.removeObject.opcode:
            try await store.remove(try Linaje_V1_RemoveObjectRequest(payload: message).key)
        default:
            throw LinajeError(.unknownMethod, "an artifact backend has no method \(opcode)")
        }
        return try Linaje_V1_Done().payload()
    }

    private var store: any ArtifactBackend {
        get throws {
            guard let backend else {
                throw LinajeError(.failedPrecondition, "no place was named yet")
            }
            return backend
        }
    }

    private func upload(_ number: UInt64) throws -> any ArtifactWriter {
        guard let writer = uploads[number] else {
            throw LinajeError(.notFound, "no object \(number) is on its way")
        }
        return writer
    }

    private func put(_ request: Linaje_V1_PutObjectRequest) async throws {
        guard uploads[request.upload] == nil else {
            throw LinajeError(.alreadyExists, "object \(request.upload) is on its way already")
        }
        guard uploads.count < Self.mostUploads else {
            throw LinajeError(
                .limitExceeded, "\(Self.mostUploads) objects are on their way; end one of them")
        }
        uploads[request.upload] = try await store.put(request.key)
    }

    private func get(
        _ request: Linaje_V1_GetObjectRequest
    ) async throws -> Linaje_V1_GetObjectResponse {
        let (end, overflow) = request.offset.addingReportingOverflow(UInt64(request.length))
        guard !overflow, request.length <= UInt32(PluginBackend.pieceBytes) else {
            throw LinajeError(
                .limitExceeded, "\(request.length) bytes are asked for; at most 1 MiB are given")
        }
        var response = Linaje_V1_GetObjectResponse()
        response.data = Data(try await store.get(request.key, range: request.offset..<end))
        return response
    }

    private func list(
        _ request: Linaje_V1_ListObjectsRequest
    ) async throws -> Linaje_V1_ListObjectsResponse {
        if request.after.isEmpty || listing?.prefix != request.prefix {
            listing = (request.prefix, try await store.list(prefix: request.prefix))
        }
        let rest = (listing?.objects ?? []).drop {
            !request.after.utf8.lexicographicallyPrecedes($0.key.utf8)
        }
        var response = Linaje_V1_ListObjectsResponse()
        response.objects = rest.prefix(Self.pageObjects).map { object in
            var out = Linaje_V1_StoredObject()
            out.key = object.key
            out.size = object.size
            return out
        }
        response.isEnd = rest.count <= Self.pageObjects
        if response.isEnd { listing = nil }
        return response
    }
}
