import CZstd
import Crypto
import Glibc
import LinajeDomain

/// What this machine does with a file when nothing stands between: read, SHA-256, zstd, write,
/// fdatasync, in one thread of one process. `linaje bench artifacts` measures the daemon by it.
enum ArtifactBaseline {
    /// Bytes a second, of content.
    struct Rates {
        var put: Double
        var get: Double
    }

    /// About the mean chunk of the store, and its compression (BlobEncoding.swift).
    private static let pieceBytes = 64 << 10
    private static let level: Int32 = 1

    /// Puts the files one after the other into one new file in `folder`, and gets them back.
    static func measure(_ files: [String], in folder: String) throws -> Rates {
        let path = DiskBaseline.temporary(folder)
        let copy = DiskBaseline.temporary(folder)
        defer {
            unlink(path)
            unlink(copy)
        }
        let store = try open(path, O_RDWR | O_CREAT | O_EXCL)
        defer { close(store) }
        guard let compressor = ZSTD_createCCtx(), let decompressor = ZSTD_createDCtx() else {
            throw LinajeError(.overloaded, "no memory for zstd")
        }
        defer {
            ZSTD_freeCCtx(compressor)
            ZSTD_freeDCtx(decompressor)
        }
        let start = ContinuousClock.now
        var pieces: [(stored: Int, content: Int)] = []
        for file in files { try put(file, into: store, path, compressor, &pieces) }
        guard fdatasync(store) == 0 else { throw DiskBaseline.failure("synced", path) }
        let middle = ContinuousClock.now
        lseek(store, 0, SEEK_SET)
        let target = try open(copy, O_WRONLY | O_CREAT | O_EXCL)
        defer { close(target) }
        for piece in pieces { try get(piece, from: store, path, to: target, copy, decompressor) }
        let end = ContinuousClock.now
        let bytes = Double(pieces.reduce(0) { $0 + $1.content })
        return Rates(
            put: bytes / max((middle - start) / .seconds(1), 1e-9),
            get: bytes / max((end - middle) / .seconds(1), 1e-9))
    }

    private static func put(
        _ file: String, into store: Int32, _ path: String, _ compressor: OpaquePointer,
        _ pieces: inout [(stored: Int, content: Int)]
    ) throws {
        let source = try open(file, O_RDONLY)
        defer { close(source) }
        var content = [UInt8](repeating: 0, count: pieceBytes)
        var frame = [UInt8](repeating: 0, count: ZSTD_compressBound(pieceBytes))
        var whole = SHA256()
        while true {
            let count = read(source, &content, content.count)
            guard count > 0 else { break }
            whole.update(data: content[..<count])
            // The store hashes each chunk, and the file.
            _ = SHA256.hash(data: content[..<count])
            let room = frame.count
            let size = ZSTD_compressCCtx(compressor, &frame, room, content, count, level)
            guard ZSTD_isError(size) == 0 else { throw DiskBaseline.failure("compressed", path) }
            let bytes = size < count ? frame[..<size] : content[..<count]
            try write(bytes, to: store, path)
            pieces.append((bytes.count, count))
        }
        _ = whole.finalize()
    }

    private static func get(
        _ piece: (stored: Int, content: Int), from store: Int32, _ path: String,
        to target: Int32, _ copy: String, _ decompressor: OpaquePointer
    ) throws {
        var stored = [UInt8](repeating: 0, count: piece.stored)
        guard read(store, &stored, stored.count) == stored.count else {
            throw DiskBaseline.failure("read", path)
        }
        var content = stored
        if piece.stored < piece.content {
            content = [UInt8](repeating: 0, count: piece.content)
            let room = content.count
            let size = ZSTD_decompressDCtx(decompressor, &content, room, stored, stored.count)
            guard size == piece.content else { throw DiskBaseline.failure("decompressed", path) }
        }
        _ = SHA256.hash(data: content)
        try write(content[...], to: target, copy)
    }

    private static func write(_ bytes: ArraySlice<UInt8>, to file: Int32, _ path: String) throws {
        let written = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        guard written == bytes.count else { throw DiskBaseline.failure("written", path) }
    }

    private static func open(_ path: String, _ flags: Int32) throws -> Int32 {
        let file = Glibc.open(path, flags | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw DiskBaseline.failure("opened", path) }
        return file
    }
}
