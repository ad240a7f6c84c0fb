import FoundationEssentials
import LinajeDomain
import LinajeWire
import SwiftProtobuf

/// A model whose bytes a flavor process may ask for while it describes it.
struct ServedModel: Sendable {
    private let source: any ModelSource
    private let number: UInt64

    /// - Parameter number: What requests call the model.
    init(_ source: any ModelSource, number: UInt64) {
        self.source = source
        self.number = number
    }

    /// Answers a request of the process.
    ///
    /// - Throws: the error to answer with.
    func answer(_ opcode: UInt16, _ payload: [UInt8]) async throws -> [UInt8] {
        let message = try CallPayload(parsing: payload).message
        switch opcode {
        case Methods.listSource.opcode:
            return try await list(try Linaje_V1_ListSourceRequest(payload: message))
        case Methods.readSource.opcode:
            return try await read(try Linaje_V1_ReadSourceRequest(payload: message))
        default:
            throw LinajeError(.unknownMethod, "a plugin may not call method \(opcode)")
        }
    }

    private func list(_ request: Linaje_V1_ListSourceRequest) async throws -> [UInt8] {
        try check(request.source)
        var response = Linaje_V1_ListSourceResponse()
        var bytes = 0
        for file in try await source.files() {
            bytes += file.path.utf8.count + 32
            guard bytes <= Limits.frameBytes else {
                throw LinajeError(
                    .limitExceeded, "the model has too many files to be described by a plugin")
            }
            var entry = Linaje_V1_SourceFile()
            entry.path = file.path
            entry.size = file.size
            response.files.append(entry)
        }
        return try response.payload()
    }

    private func read(_ request: Linaje_V1_ReadSourceRequest) async throws -> [UInt8] {
        try check(request.source)
        let path = try TreePath(request.path)
        guard request.length <= UInt32(FramedModelSource.readBytes) else {
            throw LinajeError(
                .limitExceeded,
                "\(request.length) bytes of \"\(path)\" were asked for; at most "
                    + "\(FramedModelSource.readBytes) are read at once")
        }
        let bytes = try await source.read(
            path.text, offset: request.offset, length: Int(request.length))
        var response = Linaje_V1_ReadSourceResponse()
        response.data = Data(bytes.prefix(Int(request.length)))
        return try response.payload()
    }

    private func check(_ asked: UInt64) throws {
        guard asked == number else {
            throw LinajeError(.notFound, "model \(asked) is not being described")
        }
    }
}
