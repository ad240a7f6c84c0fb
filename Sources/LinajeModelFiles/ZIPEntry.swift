import LinajeDomain

/// An entry of a ZIP archive.
///
/// ```
/// directory entry = "PK\1\2" | made by u16 | needs u16 | flags u16 | method u16 | time u32
///     | checksum u32 | packed size u32 | size u32 | name length u16 | extra length u16
///     | comment length u16 | disk u16 | u16 | attributes u32 | header offset u32 | name | extra
///     | comment
/// local header = "PK\3\4" | needs u16 | flags u16 | method u16 | time u32 | checksum u32
///     | packed size u32 | size u32 | name length u16 | extra length u16 | name | extra
/// ```
package struct ZIPEntry: Sendable {
    /// Bytes of a local header without name and extra fields.
    static let headerBytes = 30
    /// What a descriptor after the data may have: with or without signature, short or ZIP64.
    static let descriptorBytes: Set<UInt64> = [12, 16, 20, 24]
    /// Longest name in bytes.
    static let mostNameBytes = 4_096

    package private(set) var name: String
    /// Where its local header stands.
    package private(set) var header: UInt64 = 0
    /// Where its data begins; known once the local header has been read.
    package private(set) var data: UInt64 = 0
    package private(set) var packedSize: UInt64
    package private(set) var size: UInt64
    package private(set) var checksum: UInt32
    package private(set) var method: UInt16
    package private(set) var isFolder: Bool
    package private(set) var isLink: Bool
    private var flags: UInt16
    private var rawName: [UInt8]
    /// Whether the local header has been compared.
    package private(set) var isCompared = false
    /// What is wrong with it.
    private(set) var problems: [String] = []

    var rawNameCount: Int { rawName.count }
    /// The sizes may stand after the data instead of before it.
    var hasDescriptor: Bool { flags & 0x8 != 0 }
    package var isEncrypted: Bool { flags & 0x2041 != 0 }
    /// Whether its content can be read.
    package var isReadable: Bool {
        isCompared && !isEncrypted && (method == 0 || method == 8)
    }
    /// Its name for messages.
    package var shown: String { String(name.prefix(200)) }

    /// Takes an entry of the directory.
    init(from cursor: inout ByteCursor) throws {
        guard try cursor.uint32() == 0x0201_4b50 else {
            throw cursor.failure("has no directory entry where one belongs")
        }
        try cursor.skip(4)
        flags = try cursor.uint16()
        method = try cursor.uint16()
        try cursor.skip(4)
        checksum = try cursor.uint32()
        packedSize = UInt64(try cursor.uint32())
        size = UInt64(try cursor.uint32())
        let nameLength = Int(try cursor.uint16())
        let extraLength = Int(try cursor.uint16())
        let commentLength = Int(try cursor.uint16())
        let disk = try cursor.uint16()
        try cursor.skip(2)
        let attributes = try cursor.uint32()
        header = UInt64(try cursor.uint32())
        guard nameLength <= Self.mostNameBytes else {
            throw cursor.failure("has an entry whose name has \(nameLength) bytes")
        }
        rawName = Array(try cursor.take(nameLength))
        name = String(decoding: rawName, as: UTF8.self)
        let kind = attributes >> 28
        isFolder = rawName.last == UInt8(ascii: "/")
        isLink = kind == 0xa
        var extra = ByteCursor(
            try cursor.take(extraLength), name: cursor.name, base: cursor.offset)
        try readExtra(&extra, disk: disk)
        try cursor.skip(commentLength)
        judgeName()
        judgeKind(kind, disk: disk)
    }

    /// Reads the wide sizes, where the short fields say that they stand there.
    private mutating func readExtra(_ extra: inout ByteCursor, disk: UInt16) throws {
        let full = UInt64(UInt32.max)
        while !extra.isAtEnd {
            let id = try extra.uint16()
            var field = ByteCursor(
                try extra.take(Int(try extra.uint16())), name: extra.name, base: extra.offset)
            switch id {
            case 1:
                if size == full { size = try field.uint64() }
                if packedSize == full { packedSize = try field.uint64() }
                if header == full { header = try field.uint64() }
            case 0x7075:
                problems.append("entry \"\(shown)\" has a second name")
            default: break
            }
        }
    }

    private mutating func judgeName() {
        let path = isFolder ? String(name.dropLast()) : name
        let isText = String(validating: rawName, as: UTF8.self) != nil
        let isAscii = rawName.allSatisfy { (0x20..<0x7f).contains($0) }
        if !isText || (!isAscii && flags & 0x800 == 0) {
            problems.append("entry \"\(shown)\" has a name that programs read differently")
        }
        let hasDrive = rawName.count >= 2 && rawName[1] == UInt8(ascii: ":")
        if (try? TreePath(path)) == nil || rawName.contains(UInt8(ascii: "\\")) || hasDrive {
            problems.append("entry \"\(shown)\" has a name that leads outside or is no path")
        }
    }

    private mutating func judgeKind(_ kind: UInt32, disk: UInt16) {
        if isLink { problems.append("entry \"\(shown)\" is a symbolic link") }
        if kind != 0, kind != 0x8, kind != 0x4, kind != 0xa {
            problems.append("entry \"\(shown)\" is no file")
        }
        // Bits 1 and 2 are how hard was packed, 3 a descriptor, 11 a name in UTF-8.
        if isEncrypted {
            problems.append("entry \"\(shown)\" is encrypted")
        } else if flags & ~0x80e != 0 {
            problems.append("entry \"\(shown)\" has flags that nothing writes")
        }
        if method != 0, method != 8 {
            problems.append("entry \"\(shown)\" is packed by method \(method), which is not read")
        }
        if method == 0, packedSize != size, !isEncrypted {
            problems.append("entry \"\(shown)\" is not packed but has two sizes")
        }
        if isFolder, size != 0 { problems.append("entry \"\(shown)\" is a folder with content") }
        if disk != 0 { problems.append("entry \"\(shown)\" is in another archive") }
    }

    /// Reads the local header and says where it differs.
    mutating func compare(with cursor: inout ByteCursor) throws -> [String] {
        guard try cursor.uint32() == 0x0403_4b50 else {
            throw cursor.failure("has no local header of \"\(shown)\" where its directory says")
        }
        try cursor.skip(2)
        var differs: [String] = []
        if try cursor.uint16() != flags { differs.append("flags") }
        if try cursor.uint16() != method { differs.append("method") }
        try cursor.skip(4)
        let local = (try cursor.uint32(), UInt64(try cursor.uint32()), UInt64(try cursor.uint32()))
        let nameLength = Int(try cursor.uint16())
        let extraLength = UInt64(try cursor.uint16())
        let known = cursor.offset + UInt64(nameLength) + extraLength
        let isSameName = nameLength == rawName.count
        let localName = isSameName ? Array(try cursor.take(nameLength)) : []
        if localName != rawName { differs.append("name") }
        data = known
        isCompared = true
        // With a descriptor the numbers may be 0 here; with ZIP64 they stand among the extra fields.
        let full = UInt64(UInt32.max)
        let isOpen = hasDescriptor && local.0 == 0
        if local.0 != checksum, !isOpen { differs.append("checksum") }
        let isOpenSize = hasDescriptor && local.1 == 0 && local.2 == 0
        if !isOpenSize {
            if local.1 != packedSize, local.1 != full { differs.append("packed size") }
            if local.2 != size, local.2 != full { differs.append("size") }
        }
        guard !differs.isEmpty else { return [] }
        return [
            "entry \"\(shown)\" has another \(differs.joined(separator: ", ")) in its local header "
                + "than in the directory"
        ]
    }
}
