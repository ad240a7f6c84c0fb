import LinajeDomain

/// What a command wrote and the daemon has not taken yet, bounded: in memory, then in a file, then
/// only counted.
///
/// Records leave from the front, where the daemon's count of the writer's bytes is. They may be cut
/// and joined at will, since the daemon counts bytes and not records.
struct LogQueue: ~Copyable {
    /// Bytes in memory after which they go into the file.
    static let memoryBytes = 4 << 20
    /// How long the oldest may wait in memory.
    static let patience = Duration.seconds(2)
    /// Records of one stream within this time are joined, up to so many bytes.
    private static let joinedMicroseconds: Int64 = 2_000
    private static let joinedBytes = 64 << 10

    let writer = WriterID.random()
    private let place: KeptPlace
    private var records: [LogRecord] = []
    /// Where the first record in memory is, in the writer's count.
    private var first: UInt64 = 0
    private var memory = 0
    private var oldest: ContinuousClock.Instant?
    private var spool: LogSpool?
    /// What was read of the file and not taken yet.
    private var frame: (offset: UInt64, records: [LogRecord])?
    private var spoolIsFull = false

    init(_ place: KeptPlace) { self.place = place }

    var isEmpty: Bool { records.isEmpty && spool == nil }

    // MARK: In

    mutating func add(_ record: LogRecord) {
        // Where neither memory nor the file has room, bytes are only counted.
        if memory >= Self.memoryBytes, spoolIsFull {
            return append(LogRecord(time: record.time, .missing(record.size)))
        }
        append(record)
    }

    private mutating func append(_ record: LogRecord) {
        if oldest == nil { oldest = .now }
        if let last = records.last, let joined = Self.joined(last, record) {
            records[records.count - 1] = joined
        } else {
            records.append(record)
        }
        if case .bytes(_, let bytes) = record.content { memory += bytes.count }
    }

    private static func joined(_ last: LogRecord, _ next: LogRecord) -> LogRecord? {
        switch (last.content, next.content) {
        case (.missing(let before), .missing(let more)):
            return LogRecord(time: last.time, .missing(before + more))
        case (.bytes(let stream, let bytes), .bytes(let same, let more)):
            let apart = next.time.microseconds.subtractingReportingOverflow(
                last.time.microseconds)
            guard same == stream, !apart.overflow,
                (0...joinedMicroseconds).contains(apart.partialValue),
                bytes.count + more.count <= joinedBytes
            else { return nil }
            return LogRecord(time: last.time, .bytes(stream, bytes + more))
        default: return nil
        }
    }

    /// Moves what waits for too long, or is too much, into the file. May block on the disk.
    mutating func tend() {
        let isLate = oldest.map { $0.duration(to: .now) > Self.patience } ?? false
        guard memory >= Self.memoryBytes || isLate || spool != nil && memory > 0 else { return }
        moveToFile()
    }

    /// Moves everything into the file; false when it cannot be, or not all of it, or when the disk does
    /// not say that it has it.
    @discardableResult
    mutating func moveToFile() -> Bool {
        guard !records.isEmpty else { return spool?.isSafe ?? true }
        if spool == nil, let path = place.make()?.log {
            spool = LogSpool(creating: path, writer: writer)
            spoolIsFull = false
        }
        guard let spool else {
            spoolIsFull = true
            return false
        }
        while !records.isEmpty {
            let batch = Self.batch(records, most: LogSpool.frameBytes)
            guard spool.append(offset: first, batch) else {
                spoolIsFull = true
                return false
            }
            drop(through: first + batch.reduce(0) { $0 + $1.size })
        }
        return spool.sync()
    }

    // MARK: Out

    /// The oldest records, and where they are in the writer's count; `nil`: there are none.
    mutating func next() -> (offset: UInt64, records: [LogRecord])? {
        if frame == nil, let spool {
            do {
                frame = try spool.next()
                if frame == nil { removeFile() }
            } catch {
                // It stays for a later "run sync"; what is in memory is behind it.
                return nil
            }
        }
        if let frame { return frame }
        guard !records.isEmpty else { return nil }
        return (first, Self.batch(records, most: LogSpool.frameBytes))
    }

    /// The daemon has everything before this byte.
    mutating func taken(through offset: UInt64) {
        if let frame, frame.offset + frame.records.reduce(0, { $0 + $1.size }) <= offset {
            self.frame = nil
            if let spool, spool.isRead { removeFile() }
        }
        drop(through: offset)
    }

    /// Nothing of it is wanted any more.
    mutating func forget() {
        removeFile()
        records = []
        memory = 0
        oldest = nil
    }

    private mutating func removeFile() {
        guard spool != nil else { return }
        spool = nil
        frame = nil
        spoolIsFull = false
        place.existing?.removeLog()
    }

    private mutating func drop(through offset: UInt64) {
        var gone = 0
        while gone < records.count, first < offset {
            let record = records[gone]
            let part = min(record.size, offset - first)
            if case .bytes(_, let bytes) = record.content { memory -= min(Int(part), bytes.count) }
            first += part
            if part < record.size {
                records[gone] = record.dropping(part)
            } else {
                gone += 1
            }
        }
        records.removeFirst(gone)
        oldest = records.isEmpty ? nil : .now
    }

    private static func batch(_ records: [LogRecord], most: Int) -> [LogRecord] {
        var bytes = 0
        return Array(
            records.prefix(Limits.logAppendRecords / 2).prefix { record in
                defer { if case .bytes(_, let content) = record.content { bytes += content.count } }
                return bytes == 0 || bytes + Int(clamping: record.size) <= most
            })
    }
}
