import LinajeDomain
public import LinajePluginKit
import Synchronization

/// A model in memory that counts what is read from it.
public final class MemoryModelSource: ModelSource {
    private let contents: [String: [UInt8]]
    private let sizes: [String: UInt64]
    private let counted = Mutex((reads: 0, bytes: 0, longest: 0))

    /// - Parameters:
    ///   - contents: The files by path.
    ///   - sizes: Sizes to claim for files that are longer than their content here; what is past
    ///     the content reads as zeros.
    public init(_ contents: [String: [UInt8]], sizes: [String: UInt64] = [:]) {
        self.contents = contents
        self.sizes = sizes
    }

    /// How often was read, how many bytes in all, and how many at most were asked for at once.
    public var reads: (count: Int, bytes: Int, longest: Int) {
        counted.withLock { ($0.reads, $0.bytes, $0.longest) }
    }

    public func files() async throws -> [ModelSourceFile] {
        contents.map { ModelSourceFile(path: $0.key, size: size(of: $0.key, $0.value)) }
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    public func read(_ path: String, offset: UInt64, length: Int) async throws -> [UInt8] {
        guard let content = contents[path] else {
            throw LinajeError(.notFound, "model has no file \"\(path)\"")
        }
        let size = size(of: path, content)
        guard offset < size, length > 0 else { return [] }
        let count = Int(min(UInt64(length), size - offset))
        counted.withLock {
            $0.reads += 1
            $0.bytes += count
            $0.longest = max($0.longest, length)
        }
        var out: [UInt8] = []
        if offset < UInt64(content.count) {
            let start = Int(offset)
            out = Array(content[start..<min(content.count, start + count)])
        }
        out.append(contentsOf: repeatElement(0, count: count - out.count))
        return out
    }

    private func size(of path: String, _ content: [UInt8]) -> UInt64 {
        max(sizes[path] ?? 0, UInt64(content.count))
    }
}
