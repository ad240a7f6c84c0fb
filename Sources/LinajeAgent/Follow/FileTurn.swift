import LinajeClient
import LinajeDomain

/// What is known of a followed file between two turns. Losing it costs reading the file again.
struct FollowedFile<Grammar: RecordGrammar>: Sendable {
    var place: RecordPlace<Grammar>
    /// Who writes its points, once it has any.
    var writer: WriterID?
    /// Why its rest is not read.
    var damage: String?
    /// The length up to which it was read.
    var seenSize: UInt64 = 0
    /// The time of its last point.
    var lastTime: Int64?
    /// How much of what is wrong with it was told.
    var toldProblems = 0
    /// Whether something stands after its last whole record.
    var hasRest = false
    /// Whether its points were sent in the turn that has just ended, and are durable.
    var didSend = false

    init(_ grammar: Grammar) { place = RecordPlace(grammar: grammar) }
}

/// Brings a file's new records into a run: one record is one numbered batch (decision 0035), so what
/// the daemon says is durable is the place to go on at, whatever has happened to the agent.
struct FileTurn<Grammar: RecordGrammar> {
    let file: OpenFile
    /// The grammar as it is at the beginning of a file.
    let grammar: Grammar
    let client: LinajeClient
    let report: FollowReport
    /// Finds the run, when there is a first point, whose time it gets.
    let run: (_ firstTime: Int64?) async throws -> RunID
    /// Which writer the file is, from the fingerprint of its beginning up to the first measurement.
    let writer: (RunID, _ fingerprint: String) async throws -> WriterID

    /// Reads up to the length that the file has now, and returns when all of it is durable.
    ///
    /// - Throws: why it could not be; what was durable before is found again by the next turn.
    func take(_ old: FollowedFile<Grammar>) async throws -> FollowedFile<Grammar> {
        let file = file
        let size = try await BlockingCalls.run { try file.size() }
        var known = old
        known.didSend = false
        guard old.damage == nil, size > old.place.offset else { return known }
        var reader = RecordFile(file, at: old.place)
        var counts = FollowCounts()
        var sender: BatchSender?
        defer { sender?.stream.abandon() }
        reading: while true {
            let place = reader.place
            switch try await reader.next(before: size) {
            case .record(let record):
                counts.records += 1
                counts.ignored += record.ignored
                if let problem = record.problem { tell(problem, at: place.offset, &known) }
                guard let first = record.points.first else { continue }
                if sender == nil {
                    let opened = try await open(&known, end: reader.place.offset, first.time)
                    guard opened.durable >= old.place.batches else {
                        // The daemon has forgotten what it had said: from the beginning again.
                        opened.stream.abandon()
                        known.place = RecordPlace(grammar: grammar)
                        known.seenSize = 0
                        return known
                    }
                    sender = opened
                }
                try await sender?.send(record.points, after: place.batches, file.path)
                known.lastTime = record.points.last?.time ?? known.lastTime
            case .tooLong(let bytes):
                tell("a record of \(bytes) bytes is passed over", at: place.offset, &known)
            case .damaged(let reason):
                known.damage = reason
                report.tell(.damaged(path: file.path, offset: place.offset, reason: reason))
                break reading
            case .end: break reading
            }
        }
        if let ending = sender {
            try await ending.stream.finish()
            counts.points = ending.sent
            sender = nil
        }
        known.place = reader.place
        known.seenSize = size
        known.didSend = counts.points > 0
        known.hasRest = known.damage == nil && reader.place.offset < size
        count(counts, isDamaged: known.damage != nil)
        return known
    }

    private func open(
        _ known: inout FollowedFile<Grammar>, end: UInt64, _ firstTime: Int64?
    ) async throws -> BatchSender {
        let run = try await run(firstTime)
        let name: WriterID
        if let writer = known.writer {
            name = writer
        } else {
            let file = file
            let count = Int(min(end, 4_096))
            let front = try await BlockingCalls.run { try file.read(at: 0, count: count) }
            name = try await writer(run, DerivedIdentity.fingerprint(front))
            known.writer = name
        }
        // What is in a file belongs to no process that lives: it is no sign of life of the run's
        // owner, and it may come when the run has ended.
        return BatchSender(
            try await client.metricStream(run: run, writer: name, replay: true))
    }

    private func tell(
        _ reason: String, at offset: UInt64, _ known: inout FollowedFile<Grammar>
    ) {
        report.count { $0.problems += 1 }
        known.toldProblems += 1
        guard known.toldProblems <= AgentLimits.toldProblems else { return }
        report.tell(.problem(path: file.path, offset: offset, reason: reason))
    }

    private func count(_ counts: FollowCounts, isDamaged: Bool) {
        report.count {
            $0.records += counts.records
            $0.points += counts.points
            $0.ignored += counts.ignored
            if isDamaged { $0.damaged += 1 }
        }
    }
}

/// Sends the batches of one turn, but for those that are durable already.
private struct BatchSender {
    let stream: MetricStream
    /// Batches that were durable when the turn began.
    let durable: UInt64
    /// Points that were sent.
    private(set) var sent = 0
    private var series: [[String]: MetricSeriesSet] = [:]

    /// Sets of series that are kept.
    private static let seriesSets = 256

    init(_ stream: MetricStream) {
        self.stream = stream
        durable = stream.lastNumber
    }

    /// - Parameter batches: how many come before those of these points.
    mutating func send(
        _ points: [FollowedPoint], after batches: UInt64, _ path: String
    ) async throws {
        var number = batches
        for start in stride(from: 0, to: points.count, by: AgentLimits.pointsPerBatch) {
            number += 1
            guard number > durable else { continue }
            let part = points[start..<min(start + AgentLimits.pointsPerBatch, points.count)]
            let last = try await send(part)
            guard last == number else {
                throw LinajeError(
                    .conflict,
                    "batch \(number) of \(path) became \(last): something else writes as "
                        + "\(stream.writer); end it")
            }
        }
    }

    private mutating func send(_ points: ArraySlice<FollowedPoint>) async throws -> UInt64 {
        var places: [String: UInt32] = [:]
        var keys: [String] = []
        var index: [UInt32] = []
        var columns = MetricColumns()
        let now = SystemClock().now().microseconds
        for point in points {
            let place = places[point.key] ?? UInt32(keys.count)
            if places.updateValue(place, forKey: point.key) == nil { keys.append(point.key) }
            index.append(place)
            columns.append(
                MetricPoint(step: point.step, time: point.time ?? now, value: point.value))
        }
        let set = try series[keys] ?? MetricSeriesSet(keys.map { MetricSeries(key: $0) })
        if series.count >= Self.seriesSets { series.removeAll(keepingCapacity: true) }
        series[keys] = set
        sent += points.count
        return try await stream.send(columns, of: set, index: keys.count == 1 ? [] : index)
    }
}
