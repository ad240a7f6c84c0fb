import Crypto
import DequeModule
package import LinajeDomain
package import LinajePluginKit

/// Blocks of objects in a local store, of which the ones longest not asked for go when there are too
/// many bytes of them.
///
/// ```
/// KEY.INDEX     bytes of the block | SHA-256 of (KEY LF INDEX LF, bytes)
/// ```
package actor BlockCache {
    private struct Name: Hashable {
        var key: String
        var index: UInt64

        var text: String { "\(key).\(index)" }
    }

    private struct Entry {
        var size: UInt64
        /// Number of its last use.
        var use: UInt64
    }

    private static let digestBytes = 32

    private let local: any ArtifactBackend
    private let capacity: UInt64
    private var entries: [Name: Entry] = [:]
    private var blocksOfKey: [String: Set<UInt64>] = [:]
    private var used: UInt64 = 0
    private var uses: UInt64 = 0
    /// Uses in their order, of which only the last of each block counts.
    private var order: Deque<(name: Name, use: UInt64)> = []
    /// Counts what was forgotten: a block that was fetched before may be of an object that is gone.
    package private(set) var epoch: UInt64 = 0
    private var opening: Task<[(key: String, size: UInt64)], Never>?
    private var isOpen = false

    package init(local: any ArtifactBackend, capacity: ByteCount) {
        self.local = local
        self.capacity = capacity.bytes
    }

    package var usedBytes: ByteCount {
        get async {
            await open()
            return ByteCount(used)
        }
    }

    /// A block that is cached and whole, or `nil`.
    package func block(_ key: String, _ index: UInt64) async -> [UInt8]? {
        await open()
        let name = Name(key: key, index: index)
        guard let entry = entries[name] else { return nil }
        let stored = try? await local.get(name.text, range: 0..<entry.size)
        guard let stored, let bytes = Self.checked(stored, name) else {
            await drop(name)
            return nil
        }
        touch(name)
        return bytes
    }

    /// Keeps a block, unless something was forgotten since.
    ///
    /// - Parameter since: `epoch` before the block was fetched.
    package func keep(_ key: String, _ index: UInt64, _ bytes: [UInt8], since: UInt64) async {
        await open()
        let name = Name(key: key, index: index)
        let size = UInt64(bytes.count + Self.digestBytes)
        guard since == epoch, size <= capacity, entries[name] == nil else { return }
        do {
            let writer = try await local.put(name.text)
            do {
                try await writer.write(bytes)
                try await writer.write(Self.digest(bytes, name))
                try await writer.commit()
            } catch {
                await writer.abort()
                throw error
            }
        } catch {
            // A disk that is full or ill makes the cache smaller, and nothing else. What it may have
            // kept all the same would not be counted.
            try? await local.remove(name.text)
            return
        }
        guard since == epoch else {
            try? await local.remove(name.text)
            return
        }
        enter(name, size)
        await shrink()
    }

    /// Forgets all blocks of an object.
    package func forget(_ key: String) async {
        await open()
        epoch += 1
        for index in blocksOfKey[key] ?? [] { await drop(Name(key: key, index: index)) }
    }

    // MARK: Parts

    /// Looks once at what is there: the oldest entries, in no order that is known.
    private func open() async {
        guard !isOpen else { return }
        let task =
            opening
            // Unstructured because all who come first wait for it.
            ?? Task { [local] in (try? await local.list(prefix: "")) ?? [] }
        opening = task
        let found = await task.value
        guard !isOpen else { return }
        isOpen = true
        let most = UInt64(CachingBackend.blockBytes + Self.digestBytes)
        var strangers: [String] = []
        for object in found {
            if let name = Self.name(object.key), object.size <= most {
                enter(name, object.size)
            } else {
                strangers.append(object.key)
            }
        }
        await shrink()
        // No blocks: nothing else bounds them, and their folder is the cache's alone.
        for key in strangers { try? await local.remove(key) }
    }

    private func enter(_ name: Name, _ size: UInt64) {
        if let old = entries[name] { used -= old.size }
        entries[name] = Entry(size: size, use: 0)
        blocksOfKey[name.key, default: []].insert(name.index)
        used += size
        touch(name)
    }

    private func touch(_ name: Name) {
        guard entries[name] != nil else { return }
        uses += 1
        entries[name]?.use = uses
        order.append((name, uses))
        // As many as there are blocks, and some: the others are uses that count no more.
        guard order.count > 2 * entries.count + 1_024 else { return }
        order.removeAll { entries[$0.name]?.use != $0.use }
    }

    private func shrink() async {
        while used > capacity, let oldest = order.popFirst() {
            guard entries[oldest.name]?.use == oldest.use else { continue }
            await drop(oldest.name)
        }
    }

    private func drop(_ name: Name) async {
        guard let entry = entries.removeValue(forKey: name) else { return }
        used -= entry.size
        blocksOfKey[name.key]?.remove(name.index)
        if blocksOfKey[name.key]?.isEmpty == true { blocksOfKey[name.key] = nil }
        try? await local.remove(name.text)
    }

    private static func name(_ text: String) -> Name? {
        guard let dot = text.lastIndex(of: "."),
            let index = UInt64(text[text.index(after: dot)...])
        else { return nil }
        return Name(key: String(text[..<dot]), index: index)
    }

    private static func checked(_ stored: [UInt8], _ name: Name) -> [UInt8]? {
        guard stored.count > digestBytes else { return nil }
        let bytes = Array(stored.dropLast(digestBytes))
        return digest(bytes, name).elementsEqual(stored.suffix(digestBytes)) ? bytes : nil
    }

    private static func digest(_ bytes: [UInt8], _ name: Name) -> [UInt8] {
        var hash = SHA256()
        hash.update(data: Array("\(name.key)\n\(name.index)\n".utf8))
        hash.update(data: bytes)
        return Array(hash.finalize())
    }
}
