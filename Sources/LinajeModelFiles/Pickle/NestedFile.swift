/// Whether bytes look like a file that something may load.
enum NestedFile {
    static func isLikely(_ first: ArraySlice<UInt8>) -> Bool {
        let bytes = Array(first.prefix(4))
        guard bytes.count >= 2 else { return false }
        return bytes[0] == 0x80 && (2...5).contains(bytes[1]) || ZIPArchive.isLikely(bytes)
            || bytes[0] == 0x1f && bytes[1] == 0x8b
    }
}
