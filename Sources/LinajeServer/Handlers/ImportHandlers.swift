import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addImports(_ service: ImportService) {
        stream(Methods.importObjects) { request, context, stream in
            let bundle = try SHA256Digest(request.bundle, noun: "digest of the bundle")
            let objects = try await receivedObjects(of: stream)
            let made = try await service.create(objects, from: bundle, by: context.principal)
            var answer = Linaje_V1_ImportObjectsResponse()
            answer.objects = made.map { Linaje_V1_ImportedObject($0) }
            try stream.respond(answer, end: true)
        }
    }
}

/// Takes in the objects that a client sends.
///
/// - Throws: `limitExceeded` for too many or too long ones, `cancelled` when the client leaves
///   before its end.
private func receivedObjects(of stream: CallStream) async throws -> [ImportObject] {
    var objects: [ImportObject] = []
    var size = 0
    for await frame in stream.inbound {
        switch frame {
        case .data(let bytes):
            size += bytes.count
            guard objects.count < Limits.bundleObjects, size <= Limits.bundleObjectBytes else {
                throw LinajeError(
                    .limitExceeded,
                    "a bundle has at most \(Limits.bundleObjects) objects of "
                        + "\(Limits.bundleObjectBytes) bytes together; export less at a time")
            }
            objects.append(try ImportObject(Linaje_V1_BundleObject(payload: bytes)))
            stream.release(bytes.count)
        case .end: return objects
        }
    }
    throw LinajeError(.cancelled, "the client left before all objects had come")
}
