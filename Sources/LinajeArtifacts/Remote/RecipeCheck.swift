import LinajeDomain

/// Reads a recipe piece by piece, as `Recipe` reads a whole one, and keeps no line of it.
struct RecipeCheck: Sendable {
    private static let digestBytes = 32

    private let location: BlobLocation
    private var hasher = ContentHasher()
    /// What has come and is not the whole of a line yet.
    private var rest: [UInt8] = []
    /// `nil`: the prefix has not come.
    private var linesLeft: UInt64?
    /// Bytes of the file, as the prefix says and as the lines come to.
    private var size: UInt64 = 0
    private var total: UInt64 = 0

    /// - Parameter location: of the blob that the recipe is.
    init(_ location: BlobLocation) { self.location = location }

    /// Takes the next bytes of the content, of which there are no more than the blob should have.
    ///
    /// - Throws: `corrupt` for what no recipe holds, `storeTooNew` for another version of the grammar.
    mutating func add(_ bytes: UnsafeRawBufferPointer) throws {
        rest.append(contentsOf: bytes)
        var taken = 0
        if linesLeft == nil {
            guard rest.count >= Recipe.prefixBytes else { return }
            linesLeft = try readPrefix()
            taken = Recipe.prefixBytes
        }
        let lines = min(linesLeft ?? 0, UInt64((rest.count - taken) / Recipe.chunkBytes))
        let end = taken + Int(lines) * Recipe.chunkBytes
        let most = BlobKind.chunk.maximumContent
        let sum = rest.withUnsafeBytes { rest -> UInt64? in
            hasher.update(UnsafeRawBufferPointer(rebasing: rest[..<end]))
            var sum: UInt64 = 0
            for line in stride(from: taken, to: end, by: Recipe.chunkBytes) {
                let length = UInt64(
                    UInt32(
                        littleEndian: rest.loadUnaligned(
                            fromByteOffset: line + Self.digestBytes, as: UInt32.self)))
                guard length > 0, length <= most else { return nil }
                sum += length
            }
            return sum
        }
        guard let sum else { throw corrupt("holds a chunk out of bounds") }
        total += sum
        linesLeft = (linesLeft ?? 0) - lines
        rest.removeFirst(end)
    }

    /// Once all bytes have come.
    ///
    /// - Throws: `corrupt` unless they are those of a recipe.
    func finish() throws {
        guard linesLeft == 0, rest.count == Self.digestBytes else {
            throw corrupt("ends too early")
        }
        guard hasher.digest.bytes.elementsEqual(rest) else {
            throw corrupt("does not match its own digest")
        }
        guard total == size else { throw corrupt("has chunks of \(total) bytes, not \(size)") }
    }

    /// - Returns: how many lines follow.
    private mutating func readPrefix() throws -> UInt64 {
        var reader = LittleEndian.Reader(Array(rest.prefix(Recipe.prefixBytes)))
        guard let magic = reader.bytes(4), magic.elementsEqual("LNJR".utf8),
            let version = reader.u32(), let size = reader.u64(), let count = reader.u32()
        else { throw corrupt("cannot be read") }
        guard version == 1 else {
            throw LinajeError(
                .storeTooNew,
                "\(location.key) in \(location.pack.key) has version \(version); update linajed")
        }
        let length =
            UInt64(Recipe.prefixBytes + Self.digestBytes)
            + UInt64(count) * UInt64(Recipe.chunkBytes)
        guard length == UInt64(location.contentLength) else { throw corrupt("has a wrong length") }
        self.size = size
        return UInt64(count)
    }

    private func corrupt(_ finding: String) -> LinajeError {
        BlobEncoding.corrupt(location, finding)
    }
}
