import CZstd
import Synchronization

/// Contexts of zstd that are used again: making one takes as long as compressing a chunk.
final class ZstdContexts: Sendable {
    static let compressors = ZstdContexts(make: { ZSTD_createCCtx() }, free: { ZSTD_freeCCtx($0) })
    static let decompressors = ZstdContexts(
        make: { ZSTD_createDCtx() }, free: { ZSTD_freeDCtx($0) })

    /// So many are kept.
    private static let kept = 4

    private struct Context: @unchecked Sendable {
        // Safe: whoever took it is the only one who has it.
        var pointer: OpaquePointer
    }

    private let free = Mutex<[Context]>([])
    private let make: @Sendable () -> OpaquePointer?
    private let release: @Sendable (OpaquePointer) -> Void

    private init(
        make: @escaping @Sendable () -> OpaquePointer?,
        free: @escaping @Sendable (OpaquePointer) -> Void
    ) {
        self.make = make
        release = free
    }

    /// A context that nobody else uses; `nil`: no memory.
    func take() -> OpaquePointer? { free.withLock { $0.popLast() }?.pointer ?? make() }

    func give(back pointer: OpaquePointer?) {
        guard let pointer else { return }
        let context = Context(pointer: pointer)
        let isKept = free.withLock { free in
            guard free.count < Self.kept else { return false }
            free.append(context)
            return true
        }
        if !isKept { release(pointer) }
    }
}
