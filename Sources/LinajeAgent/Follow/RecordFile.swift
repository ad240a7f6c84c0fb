import LinajeDomain

/// A place in a file where a record begins.
struct RecordPlace<Grammar: RecordGrammar>: Sendable {
    var grammar: Grammar
    var offset: UInt64 = 0
    /// Numbered batches that the records before it make.
    var batches: UInt64 = 0
}

/// Reads a file record by record, from any place on.
struct RecordFile<Grammar: RecordGrammar> {
    /// What came next.
    enum Step: Equatable {
        case record(FollowedRecord)
        /// A record that was passed over for its length.
        case tooLong(bytes: UInt64)
        /// Nothing whole is left up to the limit.
        case end
        /// What follows cannot be trusted.
        case damaged(String)
    }

    let file: OpenFile
    /// Where the next record begins.
    private(set) var place: RecordPlace<Grammar>
    private var buffer: [UInt8] = []
    /// How much of `buffer` was taken.
    private var taken = 0

    init(_ file: OpenFile, at place: RecordPlace<Grammar>) {
        self.file = file
        self.place = place
    }

    /// The next record that ends before `limit`, a length that the file had.
    mutating func next(before limit: UInt64) async throws -> Step {
        while true {
            switch place.grammar.cut(buffer[taken...]) {
            case .record(let bytes, let record):
                taken += bytes
                place.offset += UInt64(bytes)
                place.batches += UInt64(record.batches)
                return .record(record)
            case .tooLong(let bytes):
                guard place.offset <= limit, bytes <= limit - place.offset else { return .end }
                buffer = []
                taken = 0
                place.offset += bytes
                return .tooLong(bytes: bytes)
            case .damaged(let reason): return .damaged(reason)
            case .incomplete(let needs):
                guard try await fill(needs: needs, before: limit) else { return .end }
            }
        }
    }

    /// Reads on; false when the file has no more.
    private mutating func fill(needs: Int, before limit: UInt64) async throws -> Bool {
        let held = buffer.count - taken
        let start = place.offset + UInt64(held)
        guard start < limit else { return false }
        let wanted = max(AgentLimits.readBytes, needs - held)
        let count = Int(min(UInt64(wanted), limit - start))
        let file = file
        let more = try await BlockingCalls.run { try file.read(at: start, count: count) }
        guard !more.isEmpty else { return false }
        buffer.removeFirst(taken)
        taken = 0
        buffer += more
        return true
    }
}
