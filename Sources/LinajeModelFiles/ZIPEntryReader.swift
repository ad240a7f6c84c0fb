import LinajeDomain

/// The content of an entry of a ZIP archive, piece by piece, with its size and its checksum checked
/// at the end. Used by one task at a time.
package struct ZIPEntryReader {
    private static let pieceBytes = 1 << 20
    /// Bytes asked for next: few at first, as many want only the beginning.
    private var reach = 4 << 10

    private let entry: ZIPEntry
    private let file: ModelFile
    private let inflater: Inflater?
    private var checksum = CRC32()
    private var position: UInt64
    private var packedLeft: UInt64
    private var pending: ArraySlice<UInt8> = []
    private var given: UInt64 = 0
    private var isChecked = false

    /// - Throws: `invalidArgument` when the entry is packed in a way that is not read.
    package init(_ entry: ZIPEntry, in file: ModelFile) throws {
        guard entry.isCompared else {
            throw file.failure("has too many entries to read \"\(entry.shown)\" among them")
        }
        guard !entry.isEncrypted, entry.method == 0 || entry.method == 8 else {
            throw file.failure(
                entry.isEncrypted
                    ? "has the encrypted entry \"\(entry.shown)\", which cannot be read"
                    : "has the entry \"\(entry.shown)\" packed by method \(entry.method), which is "
                        + "not read")
        }
        self.entry = entry
        self.file = file
        inflater =
            entry.method == 8
            ? Inflater(.raw, name: "\(file.path): \"\(entry.shown)\"") : nil
        position = entry.data
        packedLeft = entry.packedSize
    }

    /// The next piece; `nil` after the last.
    ///
    /// - Throws: `invalidArgument` when the content is not what the directory says.
    package mutating func next() async throws -> [UInt8]? {
        guard !isChecked else { return nil }
        let piece = inflater == nil ? try await stored() : try await unpacked()
        if piece.isEmpty {
            try check()
            return nil
        }
        given += UInt64(piece.count)
        guard given <= entry.size else {
            throw failure("has more than the \(entry.size) bytes that its directory says")
        }
        checksum.add(piece[...])
        return piece
    }

    private mutating func stored() async throws -> [UInt8] {
        let count = Int(min(packedLeft, UInt64(reach)))
        guard count > 0 else { return [] }
        reach = min(reach * 4, Self.pieceBytes)
        let piece = try await file.bytes(at: position, count)
        position += UInt64(count)
        packedLeft -= UInt64(count)
        return piece
    }

    private mutating func unpacked() async throws -> [UInt8] {
        guard let inflater else { return [] }
        var piece: [UInt8] = []
        while piece.isEmpty, !inflater.isFinished {
            if pending.isEmpty {
                pending = try await stored()[...]
                guard !pending.isEmpty else { throw failure("ends inside its deflated stream") }
            }
            let used = try inflater.inflate(pending, into: &piece, limit: Self.pieceBytes)
            pending = pending.dropFirst(used)
            if used == 0, piece.isEmpty, !inflater.isFinished, !pending.isEmpty {
                throw failure("does not unpack")
            }
        }
        return piece
    }

    private mutating func check() throws {
        isChecked = true
        guard pending.isEmpty, packedLeft == 0 else {
            throw failure("has bytes after its deflated stream")
        }
        guard given == entry.size else {
            throw failure("has \(given) bytes where its directory says \(entry.size)")
        }
        guard checksum.value == entry.checksum else {
            throw failure("has another checksum than its directory says")
        }
    }

    private func failure(_ what: String) -> LinajeError {
        LinajeError(.invalidArgument, "\(file.path): \"\(entry.shown)\" \(what)")
    }
}
