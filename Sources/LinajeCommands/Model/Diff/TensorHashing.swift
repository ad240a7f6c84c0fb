import Crypto
import LinajeDomain

/// Hashes the bytes of each tensor while a file goes by from its start to its end.
struct TensorHashing {
    private var places: ArraySlice<SafetensorsHeader.Place>
    private var position: UInt64
    private var hasher = SHA256()
    /// What has gone by as a whole.
    private(set) var digests: [String: LinajeDomain.SHA256Digest] = [:]

    /// - Parameter position: where the first byte stands that will be added.
    init(_ header: SafetensorsHeader, from position: UInt64) {
        places = header.places[...]
        self.position = position
    }

    mutating func add(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while let place = places.first {
            if position < place.bytes.lowerBound {
                let gap = place.bytes.lowerBound - position
                guard UInt64(rest.count) >= gap else { break }
                rest = rest.dropFirst(Int(gap))
                position += gap
            }
            let left = place.bytes.upperBound - position
            let piece = rest.prefix(Int(clamping: left))
            hasher.update(data: piece)
            rest = rest.dropFirst(piece.count)
            position += UInt64(piece.count)
            guard UInt64(piece.count) == left else { return }
            digests[place.name] = LinajeDomain.SHA256Digest(Array(hasher.finalize()))
            hasher = SHA256()
            places = places.dropFirst()
        }
        position += UInt64(rest.count)
    }
}
