import LinajeDomain
import LinajeModelFiles

/// The index of the variables of a SavedModel: a table of LevelDB's form without compression, with
/// an entry for each tensor (tensorflow/tensorflow, `core/util/tensor_bundle/tensor_bundle.h`,
/// `core/protobuf/tensor_bundle.proto`; google/leveldb, `doc/table_format.md`).
struct VariablesIndex {
    /// Longest index in bytes.
    static let mostBytes: UInt64 = 16 << 20
    /// Most tensors.
    static let mostEntries = 1_000_000
    /// Longest name in bytes.
    static let mostNameBytes: UInt64 = 65_536
    /// Last 8 bytes of a table.
    private static let magic: UInt64 = 0xdb47_7524_8b80_fb57
    private static let footerBytes: UInt64 = 48

    /// A tensor.
    struct Entry {
        var name: String
        var type: UInt64 = 0
        var shape: [UInt64] = []
        var bytes: UInt64 = 0
    }

    private let window: FileWindow
    private let reader: ProtobufReader

    init(_ window: FileWindow) {
        self.window = window
        reader = ProtobufReader(window)
    }

    /// - Throws: `invalidArgument` naming the file and the place.
    func read() async throws -> [Entry] {
        guard window.size >= Self.footerBytes, window.size <= Self.mostBytes else {
            throw failure("has \(window.size) bytes, too few or too many for an index", 0)
        }
        try await window.load(0, Int(window.size))
        let footer = window.size - Self.footerBytes
        guard try await window.number(window.size - 8, width: 8) == Self.magic else {
            throw failure("does not end like a table", window.size - 8)
        }
        var position = footer
        _ = try handle(&position, end: window.size - 8)
        let index = try handle(&position, end: window.size - 8)
        var entries: [Entry] = []
        for block in try blocks(of: index) {
            for (name, value) in try pairs(of: block) where !name.isEmpty {
                guard entries.count < Self.mostEntries else {
                    throw failure("has more than \(Self.mostEntries) tensors", value.lowerBound)
                }
                entries.append(try await entry(name, value))
            }
        }
        return entries
    }

    private func entry(_ name: String, _ value: Range<UInt64>) async throws -> Entry {
        var entry = Entry(name: name)
        var message = try reader.message(value, in: reader.root)
        while let field = try await reader.next(&message) {
            switch (field.number, field.value) {
            case (1, .varint(let type)): entry.type = type
            case (2, .bytes(let range)):
                let inner = try reader.message(range, in: message)
                entry.shape = try await (SavedModelReader.shape(inner, reader) ?? [])
                    .map { $0 ?? 0 }
            case (5, .varint(let size)): entry.bytes = size
            default: break
            }
        }
        return entry
    }

    // MARK: Blocks

    /// The blocks that the index block lists.
    private func blocks(of index: Range<UInt64>) throws -> [Range<UInt64>] {
        try pairs(of: index, isIndex: true).map { _, value in
            var position = value.lowerBound
            return try handle(&position, end: value.upperBound)
        }
    }

    /// The pairs of a block, whose keys leave out what the key before begins with.
    private func pairs(
        of block: Range<UInt64>, isIndex: Bool = false
    ) throws -> [(name: String, value: Range<UInt64>)] {
        guard window.byte(at: block.upperBound) == 0 else {
            throw failure("has a block that is compressed", block.upperBound)
        }
        guard block.upperBound - block.lowerBound >= 4 else {
            throw failure("has a block without an end", block.lowerBound)
        }
        var restarts: UInt64 = 0
        for index in 0..<UInt64(4) {
            restarts = restarts << 8 | UInt64(window.byte(at: block.upperBound - 1 - index) ?? 0)
        }
        guard restarts <= (block.upperBound - block.lowerBound - 4) / 4 else {
            throw failure("has a block with \(restarts) restarts", block.lowerBound)
        }
        let end = block.upperBound - 4 - restarts * 4
        var pairs: [(String, Range<UInt64>)] = []
        var key: [UInt8] = []
        var position = block.lowerBound
        while position < end {
            let shared = try varint(&position, end: end)
            let rest = try varint(&position, end: end)
            let length = try varint(&position, end: end)
            guard shared <= UInt64(key.count), rest <= end - position,
                shared + rest <= Self.mostNameBytes, length <= end - position - rest
            else { throw failure("has an entry longer than its block", position) }
            key.removeLast(key.count - Int(shared))
            for offset in 0..<rest { key.append(window.byte(at: position + offset) ?? 0) }
            position += rest
            // Keys of the index only separate blocks.
            guard let name = isIndex ? "" : String(validating: key, as: UTF8.self) else {
                throw failure("has a name that is not UTF-8", position)
            }
            pairs.append((name, position..<(position + length)))
            position += length
        }
        return pairs
    }

    /// Where a block is; 5 bytes of kind and check sum follow it.
    private func handle(_ position: inout UInt64, end: UInt64) throws -> Range<UInt64> {
        let offset = try varint(&position, end: end)
        let length = try varint(&position, end: end)
        guard offset <= window.size, length <= window.size - offset,
            window.size - offset - length >= 5
        else { throw failure("has a block past its end", position) }
        return offset..<(offset + length)
    }

    private func varint(_ position: inout UInt64, end: UInt64) throws -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<UInt64(10) {
            guard position < end, let byte = window.byte(at: position) else {
                throw failure("ends inside a number", position)
            }
            position += 1
            guard index < 9 || byte <= 1 else { break }
            value |= UInt64(byte & 0x7f) << (7 * index)
            if byte < 0x80 { return value }
        }
        throw failure("has a number of more than 64 bits", position)
    }

    private func failure(_ what: String, _ position: UInt64) -> LinajeError {
        LinajeError(.invalidArgument, "\(window.path) \(what) at byte \(position)")
    }
}
