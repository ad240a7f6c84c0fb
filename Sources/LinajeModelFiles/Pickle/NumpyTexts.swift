/// The elements of a small array that is part of a pickle, as text.
enum NumpyTexts {
    /// - Returns: `nil` when the bytes were not kept or the type has no text.
    static func read(_ data: PickleNode, type: PickleNode) -> [String]? {
        guard let bytes = data.bytes, let type = type.numpyType, !type.hasObjects,
            let size = Int(exactly: type.size), size > 0, bytes.count.isMultiple(of: size),
            let kind = type.code.first
        else { return nil }
        var cursor = ByteCursor(bytes, name: "an array")
        var out: [String] = []
        while !cursor.isAtEnd {
            guard let part = try? cursor.take(size), let text = text(part, kind) else { return nil }
            out.append(text)
        }
        return out
    }

    private static func text(_ part: ArraySlice<UInt8>, _ kind: Character) -> String? {
        guard kind != "U" else {
            // UTF-32, filled up with zeros.
            var scalars = String.UnicodeScalarView()
            var cursor = ByteCursor(part, name: "an array")
            while let code = try? cursor.uint32(), code != 0 {
                guard let scalar = UnicodeScalar(code) else { return nil }
                scalars.append(scalar)
            }
            return String(scalars)
        }
        guard part.count <= 8 else { return nil }
        let bits = part.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let unused = UInt64(64 - 8 * part.count)
        switch (kind, part.count) {
        case ("b", 1): return bits == 0 ? "False" : "True"
        case ("u", _): return String(bits)
        case ("i", _): return String(Int64(bitPattern: bits << unused) >> Int64(unused))
        case ("f", 8): return String(Double(bitPattern: bits))
        case ("f", 4): return String(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
        default: return nil
        }
    }
}
