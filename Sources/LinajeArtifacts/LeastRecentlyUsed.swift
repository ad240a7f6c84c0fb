import LinajeDomain

/// Values by digest, of which the ones longest not asked for go when they weigh too much together.
///
/// Few entries: finding the oldest looks at all of them.
struct LeastRecentlyUsed<Value> {
    private struct Entry {
        var value: Value
        var weight: Int
        var lastUse: UInt64
    }

    private let capacity: Int
    private let maximumEntries: Int
    private var entries: [SHA256Digest: Entry] = [:]
    private var weight = 0
    private var uses: UInt64 = 0

    /// - Parameter capacity: what the values may weigh together, in bytes; a value that weighs
    ///   more than half of it is not kept.
    init(capacity: Int, maximumEntries: Int) {
        self.capacity = capacity
        self.maximumEntries = maximumEntries
    }

    mutating func value(_ digest: SHA256Digest) -> Value? {
        guard var entry = entries[digest] else { return nil }
        uses += 1
        entry.lastUse = uses
        entries[digest] = entry
        return entry.value
    }

    mutating func insert(_ value: Value, weight added: Int, for digest: SHA256Digest) {
        guard added <= capacity / 2 else { return }
        remove(digest)
        while weight + added > capacity || entries.count >= maximumEntries,
            let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            remove(oldest.key)
        }
        uses += 1
        entries[digest] = Entry(value: value, weight: added, lastUse: uses)
        weight += added
    }

    mutating func removeAll() {
        entries = [:]
        weight = 0
    }

    mutating func remove(_ digest: SHA256Digest) {
        if let old = entries.removeValue(forKey: digest) { weight -= old.weight }
    }
}
