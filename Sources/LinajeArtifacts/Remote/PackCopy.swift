import LinajeDomain
import LinajePluginKit

/// Copies a pack from one store to another, and believes none of its bytes before they are checked:
/// the header against the pack's name, each blob against its check and its key, and the header once
/// more as the destination gives it back.
struct PackCopy: Sendable {
    /// Stored bytes that are fetched at a time (but for one blob).
    private static let groupBytes: UInt64 = 4 << 20

    let source: BlobReader
    let destination: any ArtifactBackend
    /// Reads the destination.
    let proof: BlobReader
    let pool: WorkerPool

    /// - Returns: the pack's header, for the index.
    /// - Throws: `corrupt` or `incomplete` for a pack that is not what its name says: then nothing
    ///   of it is at the destination.
    func copy(_ pack: PackName, size: UInt64) async throws -> PackHeader {
        let header = try await source.header(of: pack, size: size)
        let writer = try await destination.put(pack.key)
        do {
            try await write(pack, header, size: size, to: writer)
            try await writer.commit()
        } catch {
            await writer.abort()
            throw error
        }
        guard try await destination.stat(pack.key) == size,
            try await proof.header(of: pack, size: size) == header
        else {
            throw LinajeError(
                .storageFailed,
                "\(pack.key) was written and is not there as it was written; check the store",
                details: ["pack": pack.key])
        }
        return header
    }

    private func write(
        _ pack: PackName, _ header: PackHeader, size: UInt64, to writer: any ArtifactWriter
    ) async throws {
        guard try await source.bytes(of: pack, PackHeader.magicRange) == PackHeader.magic else {
            throw PackHeader.corrupt(pack, "does not begin as packs do")
        }
        try await writer.write(PackHeader.magic)
        var end = UInt64(PackHeader.magic.count)
        var decoder = PackDecoder(pack)
        for group in Self.groups(header.entries) {
            let bytes = try await checked(group, of: pack, &decoder)
            try await writer.write(bytes)
            end += UInt64(bytes.count)
        }
        // What follows the blobs is the header, which is known, and the trailer, which it makes.
        let encoded = header.encoded
        let tail = encoded + PackHeader.trailer(count: header.entries.count, header: encoded)
        guard end + UInt64(tail.count) == size else {
            throw PackHeader.corrupt(pack, "blobs do not fill the pack")
        }
        try await writer.write(tail)
    }

    /// The bytes of blobs that lie one after the other.
    private func checked(
        _ group: [PackEntry], of pack: PackName, _ decoder: inout PackDecoder
    ) async throws -> [UInt8] {
        guard let first = group.first, let last = group.last else { return [] }
        let start = first.offset
        let bytes = try await source.bytes(
            of: pack, start..<last.offset + UInt64(last.storedLength))
        let before = decoder
        decoder = try await pool.run {
            var decoder = before
            for entry in group { _ = try decoder.content(entry, of: bytes, from: start) }
            return decoder
        }
        return bytes
    }

    private static func groups(_ entries: [PackEntry]) -> [[PackEntry]] {
        var out: [[PackEntry]] = []
        var bytes: UInt64 = 0
        for entry in entries {
            if out.isEmpty || bytes + UInt64(entry.storedLength) > groupBytes {
                out.append([])
                bytes = 0
            }
            out[out.count - 1].append(entry)
            bytes += UInt64(entry.storedLength)
        }
        return out
    }
}
