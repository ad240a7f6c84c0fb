import Crypto
import FoundationEssentials
import LinajeArtifacts
import LinajeDomain

/// Writes a bundle, each distinct content once, in one pass.
///
/// Memory is bounded: it knows the places of the last million chunks or two, and stores again what it
/// has forgotten. One task uses it at a time; its calls block.
final class BundleWriter {
    /// Chunks that one half of the memory knows.
    private static let knownChunks = 1 << 20
    /// Bytes of chunks that are encoded together.
    private static let groupBytes = 2 << 20

    private let file: ExportFile
    private var hasher = ContentHasher()
    private(set) var length: UInt64 = 0
    private(set) var records: UInt64 = 0
    /// Bytes of files before they were looked up and encoded.
    private(set) var contentBytes: UInt64 = 0
    private var recent: [LinajeDomain.SHA256Digest: UInt64] = [:]
    private var older: [LinajeDomain.SHA256Digest: UInt64] = [:]
    private var files: Set<LinajeDomain.SHA256Digest> = []
    private var trees: Set<LinajeDomain.SHA256Digest> = []

    init(_ file: ExportFile) throws {
        self.file = file
        try put(BundleFormat.magic)
    }

    /// Whether a tree is in it already.
    func has(tree digest: LinajeDomain.SHA256Digest) -> Bool { trees.contains(digest) }

    /// Whether a file is in it already.
    func has(file digest: LinajeDomain.SHA256Digest) -> Bool { files.contains(digest) }

    /// A tree, after its files.
    func add(_ tree: Tree) throws {
        let text = tree.canonical
        let digest = ContentHasher.digest(text)
        guard trees.insert(digest).inserted else { return }
        try add(.tree, [(digest, text)])
    }

    func add(object bytes: [UInt8]) throws {
        try add(.object, [(ContentHasher.digest(bytes), bytes)])
    }

    func add(points bytes: [UInt8]) throws {
        try add(.points, [(ContentHasher.digest(bytes), bytes)])
    }

    /// Begins a file; its bytes are added to what this gives.
    func begin(_ digest: LinajeDomain.SHA256Digest, size: UInt64) -> FileParts {
        FileParts(digest: digest, size: size)
    }

    /// A file on its way into a bundle.
    struct FileParts {
        fileprivate let digest: LinajeDomain.SHA256Digest
        fileprivate let size: UInt64
        fileprivate var chunker = Chunker()
        /// Bytes of the chunk that has not ended, and chunks that were not written yet.
        fileprivate var open: [UInt8] = []
        fileprivate var waiting: [[UInt8]] = []
        fileprivate var waitingBytes = 0
        fileprivate var parts: [BundleFile.Part] = []
    }

    /// Adds bytes of a file.
    func add(_ bytes: [UInt8], to file: inout FileParts) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let count = rest.withUnsafeBytes({ file.chunker.cut($0) }) else {
                file.open += rest
                return
            }
            file.open += rest.prefix(count)
            rest = rest.dropFirst(count)
            try endChunk(&file)
        }
    }

    /// All bytes of a file were added.
    ///
    /// - Throws: `incomplete` when they are not as many as it has.
    func finish(_ file: FileParts) throws {
        var file = file
        if !file.open.isEmpty { try endChunk(&file) }
        try flush(&file)
        let sum = file.parts.reduce(0) { $0 + UInt64($1.length) }
        guard sum == file.size else {
            throw LinajeError(
                .incomplete, "file \(file.digest) came with \(sum) of \(file.size) bytes")
        }
        contentBytes += sum
        guard files.insert(file.digest).inserted else { return }
        try add(.file, [(file.digest, BundleFile(size: file.size, parts: file.parts).bytes)])
    }

    /// Ends the bundle.
    ///
    /// - Returns: its digest.
    func finish(
        signedBy key: Curve25519.Signing.PrivateKey?
    ) throws -> LinajeDomain.SHA256Digest {
        let digest = hasher.digest
        let signature = try key.map { key in
            (
                key: Array(key.publicKey.rawRepresentation),
                bytes: Array(try key.signature(for: BundleFormat.signedText + digest.bytes))
            )
        }
        try file.write(
            BundleTrailer(records: records, length: length, digest: digest, signature: signature)
                .bytes)
        try file.finish()
        return digest
    }

    // MARK: Parts

    private func endChunk(_ file: inout FileParts) throws {
        file.waitingBytes += file.open.count
        file.waiting.append(file.open)
        file.open = []
        if file.waitingBytes >= Self.groupBytes { try flush(&file) }
    }

    private func flush(_ file: inout FileParts) throws {
        let chunks = file.waiting.map { (key: ContentHasher.digest($0), content: $0) }
        var isNew: Set<LinajeDomain.SHA256Digest> = []
        try add(
            .chunk, chunks.filter { place(of: $0.key) == nil && isNew.insert($0.key).inserted })
        for chunk in chunks {
            guard let place = place(of: chunk.key) else {
                throw LinajeError(.internalError, "chunk \(chunk.key) got no place in the bundle")
            }
            file.parts.append(.init(place: place, length: UInt32(chunk.content.count)))
        }
        file.waiting = []
        file.waitingBytes = 0
    }

    private func place(of chunk: LinajeDomain.SHA256Digest) -> UInt64? {
        recent[chunk] ?? older[chunk]
    }

    private func add(
        _ kind: BundleFormat.Kind,
        _ contents: [(key: LinajeDomain.SHA256Digest, content: [UInt8])]
    ) throws {
        for content in contents
        where UInt64(content.content.count) > kind.maximumContent {
            throw LinajeError(
                .limitExceeded,
                "something to export has \(content.content.count) bytes, more than the "
                    + "\(kind.maximumContent) that a bundle takes; export less at a time")
        }
        if kind == .chunk, recent.count + contents.count > Self.knownChunks {
            older = recent
            recent = [:]
        }
        for (record, stored) in try BundleRecord.encode(kind, contents) {
            if kind == .chunk { recent[record.key] = length }
            try put(record.header)
            try put(stored)
            records += 1
        }
    }

    private func put(_ bytes: [UInt8]) throws {
        hasher.update(bytes)
        try file.write(bytes)
        length += UInt64(bytes.count)
    }
}
