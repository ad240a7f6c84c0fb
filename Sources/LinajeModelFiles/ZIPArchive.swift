import LinajeDomain

/// A ZIP archive in a model: torch, Keras, skops and NumPy write such files.
///
/// ```
/// archive = (local header | name | extra | data [| descriptor])… | directory
///           | [ZIP64 end record | ZIP64 locator] | end record
/// ```
///
/// (PKWARE APPNOTE 6.3.10.) Programs disagree on archives that are not made just so, and what one of
/// them shows is not what another loads. So an archive whose structure can be read in two ways is
/// refused, and what an entry does to deceive is among its `problems`.
package struct ZIPArchive: Sendable {
    /// Most entries.
    package static let mostEntries = 100_000
    /// Longest directory in bytes.
    package static let mostDirectoryBytes: UInt64 = 16 << 20
    /// Most reads for local headers; those of further entries are not compared.
    static let mostHeaderReads = 2_048
    private static let windowBytes = 64 << 10

    package let file: ModelFile
    /// In the order of the directory.
    package private(set) var entries: [ZIPEntry]
    /// What an honest program does not write: names that lead outside, links, an entry twice, a
    /// local header that says something else.
    package private(set) var problems: [String]
    private let places: [String: Int]

    /// Whether a file begins like an archive.
    package static func isLikely(_ prefix: some Sequence<UInt8>) -> Bool {
        let first = Array(prefix.prefix(4))
        return first == [0x50, 0x4b, 3, 4] || first == [0x50, 0x4b, 5, 6]
    }

    /// Reads the directory and compares it with the local headers.
    ///
    /// - Parameter comparesHeaders: False for a look at the names only, which costs two reads; then no
    ///   entry can be read.
    /// - Throws: `invalidArgument` or `limitExceeded` naming the file.
    package init(reading file: ModelFile, comparesHeaders: Bool = true) async throws {
        self.file = file
        let end = try await ZIPEndRecord(reading: file)
        guard end.entries <= UInt64(Self.mostEntries) else {
            throw LinajeError(
                .limitExceeded,
                "\(file.path) has \(end.entries) entries; at most \(Self.mostEntries) are read")
        }
        guard end.directorySize <= Self.mostDirectoryBytes else {
            throw LinajeError(
                .limitExceeded,
                "\(file.path) has a directory of \(end.directorySize) bytes; at most "
                    + "\(Self.mostDirectoryBytes) are read")
        }
        let bytes = try await file.bytes(at: end.directoryOffset, Int(end.directorySize))
        var cursor = ByteCursor(bytes, name: file.path, base: end.directoryOffset)
        var entries: [ZIPEntry] = []
        var places: [String: Int] = [:]
        var problems: [String] = []
        for _ in 0..<end.entries {
            let entry = try ZIPEntry(from: &cursor)
            problems += entry.problems
            if places.updateValue(entries.count, forKey: entry.name) != nil {
                problems.append("entry \"\(entry.shown)\" is in it twice")
            }
            entries.append(entry)
        }
        guard cursor.isAtEnd else {
            throw cursor.failure("has \(cursor.remaining) bytes of directory that no entry uses")
        }
        self.entries = entries
        self.problems = problems
        self.places = places
        if comparesHeaders { try await compareHeaders(directory: end.directoryOffset) }
    }

    /// The entry of that name.
    package func entry(_ name: String) -> ZIPEntry? {
        places[name].map { entries[$0] }
    }

    /// The content of a small entry, with its checksum checked.
    ///
    /// - Throws: `limitExceeded` when it has more than `limit` bytes, `invalidArgument` when it is
    ///   damaged or packed in a way that is not read.
    package func content(of entry: ZIPEntry, limit: Int) async throws -> [UInt8] {
        guard entry.size <= UInt64(limit) else {
            throw LinajeError(
                .limitExceeded,
                "\(file.path): \"\(entry.shown)\" has \(entry.size) bytes; at most \(limit) are "
                    + "read")
        }
        var reader = try ZIPEntryReader(entry, in: file)
        var content: [UInt8] = []
        while let part = try await reader.next() { content += part }
        return content
    }

    // MARK: Local headers

    /// Reads the local header of each entry: where its data begins, and whether it says the same.
    private mutating func compareHeaders(directory: UInt64) async throws {
        let order = entries.indices.sorted { entries[$0].header < entries[$1].header }
        var window = (start: UInt64(0), bytes: [UInt8]())
        var reads = 0
        var expected: UInt64 = 0
        for (rank, index) in order.enumerated() {
            let start = entries[index].header
            let end = rank + 1 < order.count ? entries[order[rank + 1]].header : directory
            guard start < directory, rank == 0 || start >= expected else {
                throw file.failure("has entries whose bytes overlap, at byte \(start)")
            }
            if start > expected, rank == 0 {
                problems.append("\(start) bytes stand before its first entry")
            }
            let needed = UInt64(ZIPEntry.headerBytes + entries[index].rawNameCount)
            let windowEnd = window.start + UInt64(window.bytes.count)
            if start < window.start || start + needed > windowEnd {
                guard reads < Self.mostHeaderReads else { return }
                reads += 1
                // The headers of small entries lie close together and come with one read.
                let isSmall = end - start <= UInt64(Self.windowBytes) / 2
                let count = isSmall ? Self.windowBytes : Int(needed)
                window = (start, try await file.upTo(count, at: start))
            }
            let offset = Int(start - window.start)
            guard offset <= window.bytes.count else { throw file.failure("ends inside an entry") }
            var cursor = ByteCursor(window.bytes[offset...], name: file.path, base: start)
            problems += try entries[index].compare(with: &cursor)
            expected = try reach(of: entries[index], before: end)
        }
    }

    /// Where the bytes of an entry end, with the descriptor after them.
    ///
    /// - Parameter next: Where the next entry or the directory begins.
    private mutating func reach(of entry: ZIPEntry, before next: UInt64) throws -> UInt64 {
        let (end, overflow) = entry.data.addingReportingOverflow(entry.packedSize)
        guard !overflow, end <= next else {
            throw file.failure("has entries whose bytes overlap, at byte \(entry.data)")
        }
        let gap = next - end
        if gap > 0, !(entry.hasDescriptor && ZIPEntry.descriptorBytes.contains(gap)) {
            problems.append("\(gap) bytes after entry \"\(entry.shown)\" belong to none")
        }
        return end
    }
}
