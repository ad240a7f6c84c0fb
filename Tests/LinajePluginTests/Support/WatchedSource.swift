import LinajeConformance
import LinajePluginKit
import Synchronization

/// A model in memory that notes which of its files are opened.
final class WatchedSource: ModelSource {
    private let inner: MemoryModelSource
    private let paths = Mutex<Set<String>>([])

    init(_ contents: [String: [UInt8]]) { inner = MemoryModelSource(contents) }

    /// The files of which something was read.
    var opened: Set<String> { paths.withLock { $0 } }

    func files() async throws -> [ModelSourceFile] { try await inner.files() }

    func read(_ path: String, offset: UInt64, length: Int) async throws -> [UInt8] {
        paths.withLock { _ = $0.insert(path) }
        return try await inner.read(path, offset: offset, length: length)
    }
}
