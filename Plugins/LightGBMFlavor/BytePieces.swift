/// What stands between separators, one after the other, without what is empty. An array of all
/// pieces would take many times the memory of the bytes.
struct BytePieces: Sequence, IteratorProtocol {
    private var rest: ArraySlice<UInt8>
    private let separator: UInt8

    init(_ bytes: ArraySlice<UInt8>, by separator: UInt8) {
        rest = bytes
        self.separator = separator
    }

    mutating func next() -> ArraySlice<UInt8>? {
        while rest.first == separator { rest = rest.dropFirst() }
        guard !rest.isEmpty else { return nil }
        let end = rest.firstIndex(of: separator) ?? rest.endIndex
        let piece = rest[..<end]
        rest = rest[end...]
        return piece
    }
}
