import LinajeClient
import LinajeDomain

/// Finds out what the tensors of two models hold, as far as that must be read: not of files that both
/// have, and not of formats whose tensors do not stand in one piece.
struct TensorReading {
    /// Bytes that are read without being asked to, of both models together.
    static let standardBytes: UInt64 = 1 << 30

    let client: LinajeClient
    /// Most bytes to read.
    let limit: UInt64

    /// Fills in the contents of both; says what was not found out.
    func read(_ before: inout ModelSide, _ after: inout ModelSide) async throws -> [String] {
        guard before.tree != after.tree, !before.model.tensors.isEmpty,
            !after.model.tensors.isEmpty
        else { return [] }
        let shared = Set(before.files.map(\.sha256))
            .intersection(after.files.map(\.sha256))
        let mine = files(of: before, besides: shared)
        let theirs = files(of: after, besides: shared)
        var notes: [String] = []
        let others = [before, after].flatMap { weights(of: $0) }.filter { file in
            !file.path.text.hasSuffix(Self.suffix) && !shared.contains(file.sha256)
        }
        if !others.isEmpty {
            let names = Set(others.map(\.path.text)).sorted().prefix(3).joined(separator: ", ")
            notes.append(
                "values are compared by files where tensors do not stand in one piece: \(names) "
                    + "differs")
        }
        guard !mine.isEmpty, !theirs.isEmpty else { return notes }
        let bytes = (mine + theirs).reduce(UInt64(0)) { sum, file in
            let (next, overflow) = sum.addingReportingOverflow(file.size)
            return overflow ? .max : next
        }
        guard bytes <= limit else {
            notes.append(
                "values are not compared: \(ByteCount(bytes)) would be read; --read-data does")
            return notes
        }
        before.contents = try await contents(mine, of: before, &notes)
        after.contents = try await contents(theirs, of: after, &notes)
        return notes
    }

    private static let suffix = ".safetensors"

    private func weights(of side: ModelSide) -> [TreeEntry] {
        let paths = Set(side.model.files.filter { $0.role == .weights }.map(\.path))
        return side.files.filter { paths.contains($0.path.text) }
    }

    private func files(
        of side: ModelSide, besides shared: Set<SHA256Digest>
    ) -> [TreeEntry] {
        side.files.filter { file in
            file.mode != .link && file.path.text.hasSuffix(Self.suffix)
                && !shared.contains(file.sha256)
        }
    }

    /// A tensor that stands in two files has no content that can be told.
    private func contents(
        _ files: [TreeEntry], of side: ModelSide, _ notes: inout [String]
    ) async throws -> [String: SHA256Digest] {
        guard let tree = side.tree else { return [:] }
        var out: [String: SHA256Digest] = [:]
        var twice: Set<String> = []
        for file in files {
            do {
                let found = try await hashed(file, .tree(tree))
                twice.formUnion(found.keys.filter { out[$0] != nil })
                out.merge(found) { first, _ in first }
            } catch let error as LinajeError
                where [.invalidArgument, .limitExceeded].contains(error.code)
            {
                notes.append(
                    "\(side.uri): values of \(file.path) are not compared: \(error.message)")
            }
        }
        return out.filter { !twice.contains($0.key) }
    }

    private func hashed(
        _ file: TreeEntry, _ root: ContentURI
    ) async throws -> [String: SHA256Digest] {
        let size = file.size
        let start = try await bytes(of: file, root, offset: 0, length: 8)
        guard let length = SafetensorsHeader.length(start, of: size) else {
            throw LinajeError(.invalidArgument, "it has no header of safetensors")
        }
        let header = try SafetensorsHeader(
            parsing: try await bytes(of: file, root, offset: 8, length: length),
            name: file.path.text, size: size)
        var hashing = TensorHashing(header, from: 8 + length)
        guard size > 8 + length else {
            hashing.add([])
            return hashing.digests
        }
        for try await piece in try await client.read(root, path: file.path, offset: 8 + length) {
            hashing.add(piece)
        }
        return hashing.digests
    }

    private func bytes(
        of file: TreeEntry, _ root: ContentURI, offset: UInt64, length: UInt64
    ) async throws -> [UInt8] {
        guard length > 0 else { return [] }
        var out: [UInt8] = []
        let reading = try await client.read(
            root, path: file.path, offset: offset, length: length)
        for try await piece in reading { out += piece }
        return out
    }
}
