import LinajeModelFiles

/// Writes ZIP archives byte by byte, right ones and wrong ones.
struct ZIPBytes {
    struct Member {
        var name: [UInt8]
        var content: [UInt8]
        /// What stands in the archive; `nil`: the content as it is.
        var packed: [UInt8]?
        var method: UInt16 = 0
        var flags: UInt16 = 0
        var attributes: UInt32 = 0
        var checksum: UInt32?
        var extra: [UInt8] = []
        /// What the local header says, where that is something else.
        var localName: [UInt8]?
        var localFlags: UInt16?
        var localMethod: UInt16?
        var localChecksum: UInt32?
        var localSize: UInt32?
        /// Bytes between the data and what follows.
        var after: [UInt8] = []

        init(_ name: String, _ content: [UInt8]) {
            self.name = Array(name.utf8)
            self.content = content
        }

        func with(_ change: (inout Member) -> Void) -> Member {
            var copy = self
            change(&copy)
            return copy
        }
    }

    var members: [Member]
    /// Bytes before the first entry, not counted in the offsets.
    var prefix: [UInt8] = []
    /// Bytes before the first entry that the offsets count.
    var gap: [UInt8] = []
    var comment: [UInt8] = []
    /// Whether ZIP64 records stand before the end record.
    var isWide = false
    /// What they say more than there is.
    var wideLie: UInt64 = 0
    /// Bytes after everything.
    var suffix: [UInt8] = []

    init(_ members: [Member]) { self.members = members }

    static func of(_ contents: (name: String, bytes: [UInt8])...) -> [UInt8] {
        ZIPBytes(contents.map { Member($0.name, $0.bytes) }).bytes
    }

    static func number(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }

    var bytes: [UInt8] {
        var out = gap
        var directory: [UInt8] = []
        for member in members {
            let offset = out.count
            let packed = member.packed ?? member.content
            let checksum = member.checksum ?? CRC32.of(member.content)
            let localName = member.localName ?? member.name
            out += Self.number(0x0403_4b50, 4) + Self.number(20, 2)
            out += Self.number(UInt64(member.localFlags ?? member.flags), 2)
            out += Self.number(UInt64(member.localMethod ?? member.method), 2)
            out += Self.number(0, 4) + Self.number(UInt64(member.localChecksum ?? checksum), 4)
            out += Self.number(UInt64(member.localSize ?? UInt32(packed.count)), 4)
            out += Self.number(UInt64(member.localSize ?? UInt32(member.content.count)), 4)
            out += Self.number(UInt64(localName.count), 2) + [0, 0]
            out += localName + packed + member.after

            directory += Self.number(0x0201_4b50, 4) + Self.number(20, 2) + Self.number(20, 2)
            directory += Self.number(UInt64(member.flags), 2)
            directory += Self.number(UInt64(member.method), 2)
            directory += Self.number(0, 4) + Self.number(UInt64(checksum), 4)
            directory += Self.number(UInt64(packed.count), 4)
            directory += Self.number(UInt64(member.content.count), 4)
            directory += Self.number(UInt64(member.name.count), 2)
            directory += Self.number(UInt64(member.extra.count), 2) + Self.number(0, 6)
            directory += Self.number(UInt64(member.attributes), 4)
            directory += Self.number(UInt64(offset), 4) + member.name + member.extra
        }
        let start = UInt64(out.count)
        let size = UInt64(directory.count)
        let count = UInt64(members.count)
        out += directory
        if isWide {
            let place = UInt64(out.count)
            out += Self.number(0x0606_4b50, 4) + Self.number(44, 8) + Self.number(45, 2)
            out += Self.number(45, 2) + Self.number(0, 8) + Self.number(count + wideLie, 8)
            out += Self.number(count + wideLie, 8) + Self.number(size, 8) + Self.number(start, 8)
            out += Self.number(0x0706_4b50, 4) + Self.number(0, 4) + Self.number(place, 8)
            out += Self.number(1, 4)
        }
        out += Self.number(0x0605_4b50, 4) + Self.number(0, 4) + Self.number(count, 2)
        out += Self.number(count, 2) + Self.number(size, 4) + Self.number(start, 4)
        out += Self.number(UInt64(comment.count), 2) + comment
        return prefix + out + suffix
    }
}
