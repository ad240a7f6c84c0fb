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
    /// Reads that are under way at the same time.
    private static let readsAtOnce = 32

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
    /// - Parameter isWanted: Which entries are compared; each may cost a read, and others cannot be
    ///   read.
    /// - Throws: `invalidArgument` or `limitExceeded` naming the file.
    package init(
        reading file: ModelFile, entries isWanted: (ZIPEntry) -> Bool = { _ in true }
    ) async throws {
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
        try await compareHeaders(directory: end.directoryOffset, of: isWanted)
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

    /// Bytes that are read at once, and the entries whose local headers are in them.
    private struct Window: Sendable {
        var start: UInt64
        var count: Int
        var entries: [Int] = []
    }

    /// Reads the local headers of entries: where their data begins, and whether they say the same.
    private mutating func compareHeaders(
        directory: UInt64, of isWanted: (ZIPEntry) -> Bool
    ) async throws {
        let order = entries.indices.sorted { entries[$0].header < entries[$1].header }
        guard let first = order.first, let last = order.last else { return }
        guard entries[last].header < directory else {
            throw file.failure("has an entry at byte \(entries[last].header), which cannot be")
        }
        if entries[first].header > 0 {
            problems.append("\(entries[first].header) bytes stand before its first entry")
        }
        var nexts = [UInt64](repeating: directory, count: entries.count)
        for (place, index) in order.dropLast().enumerated() {
            nexts[index] = entries[order[place + 1]].header
        }
        let windows = plan(order.filter { isWanted(entries[$0]) }, nexts)
        var place = 0
        while place < windows.count {
            let batch = Array(windows[place..<min(windows.count, place + Self.readsAtOnce)])
            let contents = try await Self.read(batch, of: file)
            for (window, bytes) in zip(batch, contents) {
                for index in window.entries {
                    try compare(index, in: bytes, from: window.start, before: nexts[index])
                }
            }
            place += batch.count
        }
        // Of those that were not read at least the shortest they can be must fit.
        for index in order where !entries[index].isCompared {
            try checkFit(index, before: nexts[index])
        }
    }

    /// The windows to read. The headers of small entries lie close together and share one.
    private func plan(_ order: [Int], _ nexts: [UInt64]) -> [Window] {
        var windows: [Window] = []
        for index in order {
            let start = entries[index].header
            let needed = UInt64(ZIPEntry.headerBytes + entries[index].rawNameCount)
            if let last = windows.last, start + needed <= last.start + UInt64(last.count) {
                windows[windows.count - 1].entries.append(index)
                continue
            }
            guard windows.count < Self.mostHeaderReads else { break }
            let isSmall = nexts[index] - start <= UInt64(Self.windowBytes) / 2
            let count = isSmall ? Self.windowBytes : Int(needed)
            windows.append(Window(start: start, count: count, entries: [index]))
        }
        return windows
    }

    private static func read(_ windows: [Window], of file: ModelFile) async throws -> [[UInt8]] {
        try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
            for (number, window) in windows.enumerated() {
                group.addTask { (number, try await file.upTo(window.count, at: window.start)) }
            }
            var contents = [[UInt8]](repeating: [], count: windows.count)
            for try await (number, bytes) in group { contents[number] = bytes }
            return contents
        }
    }

    private mutating func compare(
        _ index: Int, in bytes: [UInt8], from start: UInt64, before next: UInt64
    ) throws {
        guard let offset = Int(exactly: entries[index].header - start), offset <= bytes.count else {
            throw file.failure("ends inside an entry")
        }
        var cursor = ByteCursor(
            bytes[offset...], name: file.path, base: entries[index].header)
        problems += try entries[index].compare(with: &cursor)
        let entry = entries[index]
        let (end, overflow) = entry.data.addingReportingOverflow(entry.packedSize)
        guard !overflow, end <= next else {
            throw file.failure("has entries whose bytes overlap, at byte \(entry.data)")
        }
        let gap = next - end
        if gap > 0, !(entry.hasDescriptor && ZIPEntry.descriptorBytes.contains(gap)) {
            problems.append("\(gap) bytes after entry \"\(entry.shown)\" belong to none")
        }
    }

    private func checkFit(_ index: Int, before next: UInt64) throws {
        let entry = entries[index]
        let head = entry.header + UInt64(ZIPEntry.headerBytes + entry.rawNameCount)
        let (end, overflow) = head.addingReportingOverflow(entry.packedSize)
        guard !overflow, end <= next else {
            throw file.failure("has entries whose bytes overlap, at byte \(entry.header)")
        }
    }
}
