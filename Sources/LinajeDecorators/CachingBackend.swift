package import LinajeDomain
package import LinajePluginKit

/// Keeps what was read or written last near by, in another store with a bound: a folder on the local
/// disk before a bucket far away.
///
/// Objects are cached in blocks of 1 MiB, each with a digest over its bytes, its object and its
/// place: what the local disk changes or mixes up is fetched again, never given. Sizes, lists and
/// removals always ask the store itself, so what the cache knows is no proof that an object is
/// there; whoever wants to read the store's own bytes reads `backend`.
///
/// The cache never fails a call: where the local store does, the store itself is read.
package struct CachingBackend: ArtifactBackend {
    /// Bytes of a block.
    package static let blockBytes = 1 << 20
    /// Blocks that are gathered at a time.
    static let windowBlocks: UInt64 = 16
    /// Bytes of a written object that are kept until it is committed, and cached then.
    static let writeBytes = 64 << 20

    /// The store itself.
    package let backend: any ArtifactBackend
    private let cache: BlockCache

    /// - Parameters:
    ///   - local: for nothing but this cache.
    ///   - capacity: bytes that it may hold.
    package init(
        _ backend: any ArtifactBackend, local: any ArtifactBackend, capacity: ByteCount
    ) {
        self.backend = backend
        cache = BlockCache(local: local, capacity: capacity)
    }

    package var descriptor: PluginDescriptor { backend.descriptor }
    package var properties: ArtifactBackendProperties { backend.properties }

    /// Bytes that the cache holds.
    package var cachedBytes: ByteCount { get async { await cache.usedBytes } }

    package func put(_ key: String) async throws -> any ArtifactWriter {
        CachingWriter(key: key, writer: try await backend.put(key), cache: cache)
    }

    package func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] {
        // Beyond what any object has; blocks could not be counted there.
        guard !range.isEmpty, range.lowerBound < 1 << 62 else {
            return try await backend.get(key, range: range)
        }
        let block = UInt64(Self.blockBytes)
        var out: [UInt8] = []
        var first = range.lowerBound / block
        let last = (min(range.upperBound, 1 << 62) - 1) / block
        while first <= last {
            let window = first...min(last, first + Self.windowBlocks - 1)
            let blocks = try await self.blocks(key, window)
            for (index, bytes) in zip(window, blocks) {
                let start = index * block
                let from = range.lowerBound > start ? range.lowerBound - start : 0
                let to = min(range.upperBound - start, UInt64(bytes.count))
                if from < to { out += bytes[Int(from)..<Int(to)] }
                // The object's last block, which may be empty.
                if bytes.count < Self.blockBytes { return out }
            }
            first = window.upperBound + 1
        }
        return out
    }

    package func stat(_ key: String) async throws -> UInt64? { try await backend.stat(key) }

    package func list(prefix: String) async throws -> [(key: String, size: UInt64)] {
        try await backend.list(prefix: prefix)
    }

    package func remove(_ key: String) async throws {
        await cache.forget(key)
        try await backend.remove(key)
        // Again: a reader may have brought it back meanwhile.
        await cache.forget(key)
    }

    package func close() async { await backend.close() }

    /// Blocks side by side: from the cache, or else all that are missing between the first and the
    /// last of them in one request.
    private func blocks(
        _ key: String, _ window: ClosedRange<UInt64>
    ) async throws -> [[UInt8]] {
        var found: [UInt64: [UInt8]] = [:]
        let epoch = await cache.epoch
        for index in window { found[index] = await cache.block(key, index) }
        let isLast = found.filter { $0.value.count < Self.blockBytes }.keys.min()
        let needed = window.lowerBound...min(isLast ?? window.upperBound, window.upperBound)
        let missing = needed.filter { found[$0] == nil }
        if let first = missing.first, let last = missing.last {
            let block = UInt64(Self.blockBytes)
            let bytes = try await backend.get(key, range: first * block..<(last + 1) * block)
            for index in first...last {
                let start = min(Int(index - first) * Self.blockBytes, bytes.count)
                let part = Array(bytes[start..<min(start + Self.blockBytes, bytes.count)])
                found[index] = part
                if !part.isEmpty { await cache.keep(key, index, part, since: epoch) }
            }
        }
        return window.map { found[$0] ?? [] }
    }
}

/// Passes an object on, and caches it once it is committed.
private actor CachingWriter: ArtifactWriter {
    private let key: String
    private let writer: any ArtifactWriter
    private let cache: BlockCache
    /// What was written: arrays of the caller, not copies. `nil`: too much to keep.
    private var kept: [[UInt8]]? = []
    private var keptBytes = 0

    init(key: String, writer: any ArtifactWriter, cache: BlockCache) {
        self.key = key
        self.writer = writer
        self.cache = cache
    }

    func write(_ bytes: [UInt8]) async throws {
        try await writer.write(bytes)
        keptBytes += bytes.count
        if keptBytes <= CachingBackend.writeBytes {
            kept?.append(bytes)
        } else {
            kept = nil
        }
    }

    func commit() async throws {
        try await writer.commit()
        // What is cached of an object of that name may be of one that was damaged.
        await cache.forget(key)
        guard let kept else { return }
        self.kept = nil
        let epoch = await cache.epoch
        var index: UInt64 = 0
        var block: [UInt8] = []
        for bytes in kept {
            var rest = bytes[...]
            while !rest.isEmpty {
                let part = rest.prefix(CachingBackend.blockBytes - block.count)
                block += part
                rest = rest.dropFirst(part.count)
                guard block.count == CachingBackend.blockBytes else { continue }
                await cache.keep(key, index, block, since: epoch)
                index += 1
                block = []
            }
        }
        if !block.isEmpty { await cache.keep(key, index, block, since: epoch) }
    }

    func abort() async {
        kept = nil
        await writer.abort()
    }
}
