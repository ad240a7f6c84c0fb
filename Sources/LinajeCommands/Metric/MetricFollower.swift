import LinajeClient
import LinajeDomain

/// The points of a run as they become durable, over restarts of the daemon: each once.
///
/// After a connection broke it follows first and then reads the history of the time between, and
/// leaves out what it has shown. A point that came in between and is older than the last 1,024 of its
/// series cannot be told from those: it stays in the history.
struct MetricFollower {
    private let client: LinajeClient
    private let run: RunID
    private let keys: Set<String>
    private let last: Int
    private let startedAt = SystemClock().now()
    private var tail: MetricReading.AsyncIterator?
    private var recent: [MetricSeries: RecentPoints] = [:]
    /// Points that a reading of the history has shown and the tail may bring again.
    private var shown: [MetricSeries: [RecentPoints.Mark: Int]] = [:]
    private var waiting: [MetricChunk] = []
    private var wasOpen = false

    /// Series whose points are remembered.
    private static let seriesLimit = 10_000

    /// - Parameter last: how many of the points that are there to begin with, of each series.
    init(client: LinajeClient, run: RunID, keys: Set<String>, last: Int) {
        self.client = client
        self.run = run
        self.keys = keys
        self.last = last
    }

    /// The next points; `nil` when the run has ended.
    ///
    /// - Parameter restarted: told when the daemon is being restarted.
    /// - Throws: when the daemon stays away for longer than the client is patient.
    mutating func next(restarted: () -> Void) async throws -> MetricChunk? {
        while true {
            do {
                if tail == nil { try await open() }
                if !waiting.isEmpty { return waiting.removeFirst() }
                guard let chunk = try await tail?.next() else { return nil }
                if let new = fresh(chunk) { return new }
            } catch let error as LinajeError where error.code == .unavailable && wasOpen {
                if tail == nil {
                    // The client's patience is over.
                    throw LinajeError(.deadlineExceeded, error.message, details: error.details)
                }
                tail = nil
                restarted()
            }
        }
    }

    /// Follows, then reads what came before that and was not shown.
    private mutating func open() async throws {
        // Assigned only when what came between is read: a break meanwhile begins anew.
        let opened = try await client.tail(run, keys: keys)
        let unseen = try await wasOpen ? missed() : lastPoints()
        shown = [:]
        for chunk in unseen {
            var counts: [RecentPoints.Mark: Int] = [:]
            for index in 0..<chunk.columns.count {
                counts[RecentPoints.Mark(chunk.columns[index]), default: 0] += 1
                remember(chunk.columns[index], chunk.series)
            }
            shown[chunk.series, default: [:]].merge(counts, uniquingKeysWith: +)
        }
        waiting += unseen.filter { $0.columns.count > 0 }
        tail = opened.makeAsyncIterator()
        wasOpen = true
    }

    private mutating func remember(_ point: MetricPoint, _ series: MetricSeries) {
        guard recent[series] != nil || recent.count < Self.seriesLimit else { return }
        recent[series, default: RecentPoints()].add(point)
    }

    /// The last points of each series.
    private func lastPoints() async throws -> [MetricChunk] {
        guard last > 0 else { return [] }
        var found: [MetricChunk] = []
        for try await chunk in try await client.history(of: run, MetricQuery(keys: keys)) {
            var chunk = chunk
            if let before = found.last, before.series == chunk.series {
                found.removeLast()
                chunk.columns = before.columns.followed(by: chunk.columns)
            }
            chunk.columns = chunk.columns.suffix(last)
            found.append(chunk)
        }
        return found
    }

    /// The points that came while nobody followed.
    private func missed() async throws -> [MetricChunk] {
        // Of a series without a point the time since we began is asked for.
        let starts = recent.mapValues { $0.since ?? startedAt.microseconds }
        let first = min(starts.values.min() ?? .max, startedAt.microseconds)
        var left = recent.mapValues(\.marks)
        var found: [MetricChunk] = []
        let query = MetricQuery(keys: keys, times: first...(.max))
        for try await chunk in try await client.history(of: run, query) {
            var new = MetricColumns()
            let start = starts[chunk.series] ?? startedAt.microseconds
            for index in 0..<chunk.columns.count {
                let point = chunk.columns[index]
                let mark = RecentPoints.Mark(point)
                if let count = left[chunk.series]?[mark], count > 0 {
                    left[chunk.series]?[mark] = count - 1
                } else if point.time >= start {
                    new.append(point)
                }
            }
            found.append(MetricChunk(series: chunk.series, columns: new, missed: 0))
        }
        return found
    }

    /// What of a part of the tail was not shown yet; `nil`: nothing.
    private mutating func fresh(_ chunk: MetricChunk) -> MetricChunk? {
        var new = MetricColumns()
        for index in 0..<chunk.columns.count {
            let point = chunk.columns[index]
            let mark = RecentPoints.Mark(point)
            if let count = shown[chunk.series]?[mark], count > 0 {
                shown[chunk.series]?[mark] = count - 1
                continue
            }
            new.append(point)
            remember(point, chunk.series)
        }
        guard new.count > 0 || chunk.missed > 0 else { return nil }
        return MetricChunk(series: chunk.series, columns: new, missed: chunk.missed)
    }
}

extension MetricColumns {
    /// The last points.
    func suffix(_ count: Int) -> MetricColumns {
        MetricColumns(
            steps: Array(steps.suffix(count)), times: Array(times.suffix(count)),
            values: Array(values.suffix(count)))
    }

    func followed(by more: MetricColumns) -> MetricColumns {
        MetricColumns(
            steps: steps + more.steps, times: times + more.times, values: values + more.values)
    }
}
