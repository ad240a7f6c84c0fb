import LinajeDomain
import LinajeWire
import Synchronization

/// A model whose bytes the daemon has: each question travels over the connection.
final class FramedModelSource: ModelSource {
    /// Most bytes asked for at once (`plugin.proto`, ReadSourceRequest).
    static let readBytes = 1 << 20

    private let session: PluginHostSession
    private let stream: UInt32
    private let number: UInt64
    private let known = Mutex<[ModelSourceFile]?>(nil)

    /// - Parameters:
    ///   - stream: The daemon's stream that asks for the description.
    ///   - number: What the daemon calls the model.
    init(session: PluginHostSession, stream: UInt32, number: UInt64) {
        self.session = session
        self.stream = stream
        self.number = number
    }

    func files() async throws -> [ModelSourceFile] {
        if let files = known.withLock({ $0 }) { return files }
        var request = Linaje_V1_ListSourceRequest()
        request.source = number
        let response = try await session.ask(Methods.listSource, request, for: stream)
        let files = response.files.map { ModelSourceFile(path: $0.path, size: $0.size) }
        known.withLock { $0 = files }
        return files
    }

    func read(_ path: String, offset: UInt64, length: Int) async throws -> [UInt8] {
        var out: [UInt8] = []
        while out.count < length {
            let (position, overflow) = offset.addingReportingOverflow(UInt64(out.count))
            guard !overflow else { break }
            let wanted = min(Self.readBytes, length - out.count)
            var request = Linaje_V1_ReadSourceRequest()
            request.source = number
            request.path = path
            request.offset = position
            request.length = UInt32(wanted)
            let response = try await session.ask(Methods.readSource, request, for: stream)
            guard response.data.count <= wanted else {
                throw LinajeError(
                    .badMessage,
                    "\(response.data.count) bytes of \"\(path)\" came where \(wanted) were asked")
            }
            out += response.data
            if response.data.count < wanted { break }
        }
        return out
    }
}
