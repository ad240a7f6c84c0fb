/// Looks for texts among bytes.
///
/// Swift's own search goes by characters: it is slow, and a mark that joins the last character of
/// what is looked for hides it. Programs that load models go by bytes.
package enum ByteSearch {
    /// Where `text` first stands in `bytes` from `start` on; `nil` when it does not.
    package static func first(_ text: String, in bytes: [UInt8], from start: Int = 0) -> Int? {
        let needle = Array(text.utf8)
        guard let head = needle.first, start >= 0, bytes.count >= needle.count else { return nil }
        let last = bytes.count - needle.count
        return bytes.withUnsafeBufferPointer { bytes in
            var place = start
            while place <= last {
                if bytes[place] == head, matches(needle, bytes, place) { return place }
                place += 1
            }
            return nil
        }
    }

    /// Whether `text` stands in `bytes`.
    package static func contains(_ text: String, in bytes: [UInt8]) -> Bool {
        first(text, in: bytes) != nil
    }

    private static func matches(
        _ needle: [UInt8], _ bytes: UnsafeBufferPointer<UInt8>, _ place: Int
    ) -> Bool {
        for index in needle.indices where bytes[place + index] != needle[index] { return false }
        return true
    }
}
