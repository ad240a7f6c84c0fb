import LinajeDomain

/// Where the directory of a ZIP archive is.
///
/// ```
/// end record = "PK\5\6" | disk u16 | disk of directory u16 | entries here u16 | entries u16
///              | directory size u32 | directory offset u32 | comment length u16 | comment
/// ZIP64 locator = "PK\6\7" | disk u32 | offset of ZIP64 end record u64 | disks u32
/// ZIP64 end record = "PK\6\6" | size u64 | made by u16 | needs u16 | disk u32
///              | disk of directory u32 | entries here u64 | entries u64 | directory size u64
///              | directory offset u64 | …
/// ```
struct ZIPEndRecord: Sendable {
    private static let endBytes = 22
    private static let locatorBytes = 20
    private static let wideBytes = 56

    var entries: UInt64
    var directorySize: UInt64
    var directoryOffset: UInt64

    /// - Throws: `invalidArgument` naming the file when there is no such record, or when programs
    ///   would take different ones for it.
    init(reading file: ModelFile) async throws {
        let most = Self.endBytes + Int(UInt16.max) + Self.locatorBytes + Self.wideBytes
        let start = file.size - min(file.size, UInt64(most))
        let tail = try await file.upTo(most, at: start)
        let place = try Self.place(in: tail, of: file)
        var cursor = ByteCursor(tail, name: file.path, base: start)
        try cursor.seek(to: place + 4)
        let disks = (try cursor.uint16(), try cursor.uint16())
        let here = try cursor.uint16()
        let all = try cursor.uint16()
        entries = UInt64(all)
        directorySize = UInt64(try cursor.uint32())
        directoryOffset = UInt64(try cursor.uint32())
        var end = start + UInt64(place)
        let locator = place - Self.locatorBytes
        if locator >= 0, tail[locator...].starts(with: [0x50, 0x4b, 6, 7]) {
            let narrow = self
            try cursor.seek(to: locator)
            end = try await readWide(at: &cursor, before: start + UInt64(locator), in: file)
            guard Self.agree(narrow.entries, entries, UInt64(UInt16.max)),
                Self.agree(narrow.directorySize, directorySize, UInt64(UInt32.max)),
                Self.agree(narrow.directoryOffset, directoryOffset, UInt64(UInt32.max))
            else { throw file.failure("has two end records that say different things") }
        } else {
            guard disks == (0, 0), here == all else {
                throw file.failure("says that it is one part of several archives")
            }
        }
        let (directoryEnd, overflow) = directoryOffset.addingReportingOverflow(directorySize)
        guard !overflow, directoryEnd == end else {
            throw file.failure(
                "says its directory of \(directorySize) bytes begins at byte \(directoryOffset), "
                    + "but its end record is at byte \(end): bytes were put before it or hidden in "
                    + "it")
        }
        try await checkNoOther(in: tail, from: start, before: place, file)
    }

    /// The one end record in the last bytes of the file.
    private static func place(in tail: [UInt8], of file: ModelFile) throws -> Int {
        var found: Int?
        var place = tail.count - endBytes
        while place >= 0 {
            if tail[place] == 0x50, tail[place...].starts(with: [0x50, 0x4b, 5, 6]) {
                let comment = Int(tail[place + 20]) | Int(tail[place + 21]) << 8
                if place + endBytes + comment == tail.count {
                    found = place
                    break
                }
                throw file.failure("has \(tail.count - place) bytes after its end record")
            }
            place -= 1
        }
        guard let found else { throw file.failure("has no end record: it is truncated") }
        return found
    }

    /// Reads the ZIP64 records.
    ///
    /// - Returns: where the ZIP64 end record is.
    private mutating func readWide(
        at cursor: inout ByteCursor, before locator: UInt64, in file: ModelFile
    ) async throws -> UInt64 {
        try cursor.skip(4)
        let disk = try cursor.uint32()
        let place = try cursor.uint64()
        let disks = try cursor.uint32()
        guard disk == 0, disks <= 1 else {
            throw file.failure("says that it is one part of several archives")
        }
        let (end, overflow) = place.addingReportingOverflow(UInt64(Self.wideBytes))
        guard !overflow, end <= locator else {
            throw file.failure("says its ZIP64 end record is at byte \(place), which cannot be")
        }
        var wide = ByteCursor(
            try await file.bytes(at: place, Self.wideBytes), name: file.path, base: place)
        guard try wide.uint32() == 0x0606_4b50 else {
            throw file.failure("has no ZIP64 end record at byte \(place)")
        }
        let size = try wide.uint64()
        try wide.skip(4)
        let parts = (try wide.uint32(), try wide.uint32())
        let here = try wide.uint64()
        entries = try wide.uint64()
        directorySize = try wide.uint64()
        directoryOffset = try wide.uint64()
        let (reach, tooFar) = (place + 12).addingReportingOverflow(size)
        guard !tooFar, reach == locator, parts == (0, 0), here == entries else {
            throw file.failure("has a ZIP64 end record that does not end where it should")
        }
        return place
    }

    /// A field of the short record is that of the long one, or says that it has no room for it.
    private static func agree(_ narrow: UInt64, _ wide: UInt64, _ full: UInt64) -> Bool {
        narrow == full || narrow == wide
    }

    /// No second end record after the directory: programs search for it in different ways.
    private func checkNoOther(
        in tail: [UInt8], from start: UInt64, before place: Int, _ file: ModelFile
    ) async throws {
        let directoryEnd = directoryOffset + directorySize
        var index = directoryEnd > start ? Int(directoryEnd - start) : 0
        while index < tail.count {
            if index != place, tail[index] == 0x50, tail[index...].starts(with: [0x50, 0x4b, 5, 6])
            {
                throw file.failure("has several end records")
            }
            index += 1
        }
    }
}
