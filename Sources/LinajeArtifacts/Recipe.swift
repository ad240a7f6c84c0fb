package import LinajeDomain

/// The chunks that make a file, in their order.
///
/// ```
/// recipe = "LNJR" u32=1 | u64 size | u32 count | count * (sha256 32 | u32 length)
///        | sha256 of all before
/// ```
/// Integers are little-endian; normative is `proto-spec/STORAGE.md`, "Files and chunks".
package struct Recipe: Sendable, Hashable {
    /// One chunk of the file.
    package struct Chunk: Sendable, Hashable {
        package var digest: SHA256Digest
        /// Bytes of its content.
        package var length: UInt32

        package init(digest: SHA256Digest, length: UInt32) {
            self.digest = digest
            self.length = length
        }
    }

    /// Bytes of the file.
    package var size: UInt64
    package var chunks: [Chunk]

    /// The most chunks that a recipe of the longest allowed content has.
    package static let maximumChunks =
        (Int(BlobKind.recipe.maximumContent) - prefixBytes - 32) / chunkBytes
    package static let prefixBytes = 20
    package static let chunkBytes = 36

    package init(size: UInt64, chunks: [Chunk]) {
        self.size = size
        self.chunks = chunks
    }

    /// The recipe's bytes.
    package var encoded: [UInt8] {
        var list: [UInt8] = []
        list.reserveCapacity(chunks.count * Recipe.chunkBytes)
        for chunk in chunks {
            Recipe.append(chunk, to: &list)
        }
        return Recipe.encode(size: size, list: list)
    }

    /// Appends a line of the list, so that a writer of a long file keeps the bytes only.
    package static func append(_ chunk: Chunk, to list: inout [UInt8]) {
        list.append(contentsOf: chunk.digest.bytes)
        LittleEndian.append(chunk.length, to: &list)
    }

    /// A recipe's bytes around a list that `append` made.
    package static func encode(size: UInt64, list: [UInt8]) -> [UInt8] {
        var out = Array("LNJR".utf8)
        out.reserveCapacity(prefixBytes + list.count + 32)
        LittleEndian.append(UInt32(1), to: &out)
        LittleEndian.append(size, to: &out)
        LittleEndian.append(UInt32(list.count / chunkBytes), to: &out)
        out.append(contentsOf: list)
        out.append(contentsOf: ContentHasher.digest(out).bytes)
        return out
    }

    /// Reads a recipe.
    ///
    /// - Parameter file: the file it should be of, for the message.
    /// - Throws: `corrupt` unless these are the bytes that `encoded` would give; `storeTooNew` for
    ///   another version of the grammar.
    package init(_ bytes: [UInt8], of file: SHA256Digest) throws {
        func corrupt(_ finding: String) -> LinajeError {
            LinajeError(
                .corrupt, "recipe of file \(file) \(finding); restore its pack from a copy",
                details: ["file": file.description])
        }
        var reader = LittleEndian.Reader(bytes)
        guard let magic = reader.bytes(4), magic.elementsEqual("LNJR".utf8),
            let version = reader.u32(), let size = reader.u64(), let count = reader.u32()
        else { throw corrupt("cannot be read") }
        // Before the version is believed: a flipped bit in it is damage, not news.
        guard bytes.count >= Recipe.prefixBytes + 32,
            ContentHasher.digest(Array(bytes.dropLast(32))).bytes.elementsEqual(bytes.suffix(32))
        else { throw corrupt("does not match its own digest") }
        guard version == 1 else {
            throw LinajeError(
                .storeTooNew,
                "recipe of file \(file) has version \(version); update linajed")
        }
        guard
            UInt64(bytes.count)
                == UInt64(Recipe.prefixBytes + 32) + UInt64(count) * UInt64(Recipe.chunkBytes)
        else { throw corrupt("has a wrong length") }
        var chunks: [Chunk] = []
        chunks.reserveCapacity(Int(count))
        var total: UInt64 = 0
        for _ in 0..<count {
            guard let digest = reader.bytes(32).flatMap({ SHA256Digest($0) }),
                let length = reader.u32(), length > 0,
                UInt64(length) <= BlobKind.chunk.maximumContent
            else { throw corrupt("holds a chunk out of bounds") }
            total += UInt64(length)
            chunks.append(Chunk(digest: digest, length: length))
        }
        guard total == size else { throw corrupt("has chunks of \(total) bytes, not \(size)") }
        // A single chunk is the file.
        let isOther = chunks.isEmpty ? ContentHasher().digest != file : chunks[0].digest != file
        guard chunks.count > 1 || !isOther else { throw corrupt("is one of another file") }
        self.init(size: size, chunks: chunks)
    }
}
