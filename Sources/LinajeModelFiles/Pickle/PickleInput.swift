import LinajeDomain

/// The bytes of a pickle, from the front to the back: of a file, of an entry of an archive, or
/// unpacked on the way. Used by one task at a time.
package struct PickleInput {
    private enum Origin {
        case memory
        case file(ModelFile, UInt64)
        case entry(ZIPEntryReader)
        case packed(ModelFile, UInt64, Inflater, ArraySlice<UInt8>, Inflater.Container)
    }

    /// Most bytes asked for at once.
    private static let pieceBytes = 1 << 20
    /// Bytes asked for next: few at first, as many files end being looked at there.
    private var reach = 16 << 10
    /// Most bytes that a packed file is unpacked to. Past them nothing is known of it.
    static let mostUnpackedBytes: UInt64 = 512 << 20

    /// What errors call it.
    package let name: String
    private var origin: Origin
    private var isOver = false
    private var unpacked: UInt64 = 0

    package init(_ bytes: [UInt8], name: String) {
        self.name = name
        origin = .memory
        pending = bytes
    }

    package init(_ file: ModelFile, from offset: UInt64 = 0) {
        name = file.path
        origin = .file(file, offset)
    }

    package init(_ entry: ZIPEntryReader, name: String) {
        self.name = name
        origin = .entry(entry)
    }

    package init(unpacking file: ModelFile, _ container: Inflater.Container) {
        name = file.path
        origin = .packed(file, 0, Inflater(container, name: file.path), [], container)
    }

    /// Bytes that are here already.
    private var pending: [UInt8] = []

    /// Appends the next piece.
    ///
    /// - Returns: false at the end.
    mutating func more(_ window: inout [UInt8]) async throws -> Bool {
        guard !isOver else { return false }
        let piece = try await next()
        if piece.isEmpty { isOver = true }
        window += piece
        return !piece.isEmpty
    }

    /// Drops bytes that are not in the window.
    ///
    /// - Throws: `invalidArgument` when the file has not so many.
    mutating func skip(_ count: UInt64) async throws {
        if case .file(let file, let offset) = origin {
            let (next, overflow) = offset.addingReportingOverflow(count)
            guard !overflow, next <= file.size else {
                throw file.failure("ends inside data of \(count) bytes")
            }
            origin = .file(file, next)
            return
        }
        var left = count
        while left > 0 {
            let piece = try await next()
            guard !piece.isEmpty else {
                throw LinajeError(.invalidArgument, "\(name) ends inside data of \(count) bytes")
            }
            if UInt64(piece.count) > left {
                pending = Array(piece[Int(left)...])
                return
            }
            left -= UInt64(piece.count)
        }
    }

    private mutating func next() async throws -> [UInt8] {
        if !pending.isEmpty {
            defer { pending = [] }
            return pending
        }
        switch origin {
        case .memory: return []
        case .file(let file, let offset):
            let piece = try await file.upTo(reach, at: offset)
            reach = min(reach * 4, Self.pieceBytes)
            origin = .file(file, offset + UInt64(piece.count))
            return piece
        case .entry(var reader):
            let piece = try await reader.next() ?? []
            origin = .entry(reader)
            return piece
        case .packed(let file, let offset, let inflater, let rest, let container):
            return try await unpack(file, offset, inflater, rest, container)
        }
    }

    /// The next piece of a packed file; a stream may follow another (RFC 1952, "members").
    private mutating func unpack(
        _ file: ModelFile, _ offset: UInt64, _ inflater: Inflater, _ rest: ArraySlice<UInt8>,
        _ container: Inflater.Container
    ) async throws -> [UInt8] {
        var offset = offset
        var rest = rest
        var inflater = inflater
        var piece: [UInt8] = []
        while piece.isEmpty {
            if rest.isEmpty {
                rest = try await file.upTo(min(reach, Self.pieceBytes / 4), at: offset)[...]
                reach = min(reach * 4, Self.pieceBytes)
                offset += UInt64(rest.count)
                if rest.isEmpty {
                    guard inflater.isFinished else {
                        throw file.failure("ends inside its deflated stream")
                    }
                    break
                }
            }
            if inflater.isFinished { inflater = Inflater(container, name: file.path) }
            let used = try inflater.inflate(rest, into: &piece, limit: Self.pieceBytes)
            if used == 0, piece.isEmpty, !inflater.isFinished {
                throw file.failure("does not unpack")
            }
            rest = rest.dropFirst(used)
        }
        unpacked += UInt64(piece.count)
        guard unpacked <= Self.mostUnpackedBytes else {
            throw LinajeError(
                .limitExceeded,
                "\(name) unpacks to more than the \(Self.mostUnpackedBytes) bytes that are read")
        }
        origin = .packed(file, offset, inflater, rest, container)
        return piece
    }
}
