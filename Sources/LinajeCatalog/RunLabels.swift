package import LinajeDomain
import LinajePluginKit

/// What is made of the params, tags and last metrics of the runs of a page while they are read.
///
/// A page of a list has tens of thousands of them. Who only passes them on can put them together in
/// the form they leave in, without a value of its own for each. They come kind by kind, in each kind
/// run by run, of a run by key; texts are lent as UTF-8.
package protocol RunLabels: Sendable {
    /// What is made of those of one run.
    associatedtype Entry: Sendable

    /// For so many runs, which are numbered from 0.
    init(runs: Int)
    mutating func add(
        tag key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, run: Int)
    /// A param that is a text.
    mutating func add(
        param key: UnsafeRawBufferPointer, text: UnsafeRawBufferPointer, run: Int)
    /// A param of another type.
    mutating func add(param key: UnsafeRawBufferPointer, _ value: ParamValue, run: Int)
    mutating func add(
        metric key: UnsafeRawBufferPointer, value: Double, step: Int64, time: Int64, run: Int)
    func entry(run: Int) -> Entry
}

/// A run of a list without params, tags and metrics, which are in `labels`.
package struct LabelledRun<Labels: RunLabels>: Sendable {
    package var run: Run
    package var labels: Labels.Entry
}

/// The lists of runs as `Run` has them.
struct RunLists: RunLabels {
    struct Entry: Sendable {
        var tags: [Tag] = []
        var params: [Param] = []
        var metrics: [RunMetric] = []
    }

    private var entries: [Entry]

    init(runs: Int) { entries = Array(repeating: Entry(), count: runs) }

    mutating func add(
        tag key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, run: Int
    ) {
        entries[run].tags.append(Tag(key: Self.text(key), value: Self.text(value)))
    }

    mutating func add(
        param key: UnsafeRawBufferPointer, text: UnsafeRawBufferPointer, run: Int
    ) {
        add(param: key, .string(Self.text(text)), run: run)
    }

    mutating func add(param key: UnsafeRawBufferPointer, _ value: ParamValue, run: Int) {
        entries[run].params.append(Param(key: Self.text(key), value: value))
    }

    mutating func add(
        metric key: UnsafeRawBufferPointer, value: Double, step: Int64, time: Int64, run: Int
    ) {
        entries[run].metrics.append(
            RunMetric(key: Self.text(key), value: value, step: step, time: time))
    }

    func entry(run: Int) -> Entry { entries[run] }

    private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}

extension Run {
    /// The run with its lists.
    init(_ labelled: LabelledRun<RunLists>) {
        self = labelled.run
        tags = labelled.labels.tags
        params = labelled.labels.params
        metrics = labelled.labels.metrics
    }
}

extension CatalogReader {
    /// Reads the labels of runs, each kind in one statement.
    ///
    /// - Parameter metrics: the last values of metrics, too, as far as they are indexed.
    /// - Returns: the labels, with the runs numbered in the order of `runs`, and their bytes, roughly,
    ///   of each run.
    func labels<Labels: RunLabels>(
        of runs: [RunID], metrics: Bool, as: Labels.Type
    ) throws -> (labels: Labels, weights: [Int]) {
        var labels = Labels(runs: runs.count)
        var weights = Array(repeating: 0, count: runs.count)
        guard !runs.isEmpty else { return (labels, weights) }
        let ids = runs.map { SQLValue.id($0) }
        let within = "WHERE run_id IN (\(placeholders(ids.count))) ORDER BY run_id, key"
        var place = RunPlaces(runs)
        try connection.query("SELECT run_id, key, value FROM run_tags \(within)", ids) { row in
            let run = try place.index(of: row)
            try row.readText(1) { key in
                try row.readText(2) { value in
                    labels.add(tag: key, value, run: run)
                    weights[run] += key.count + value.count + 16
                }
            }
        }
        try connection.query("SELECT run_id, key, kind, value FROM run_params \(within)", ids) {
            row in
            let run = try place.index(of: row)
            try row.readText(1) { key in
                let kind = try row.text(2)
                guard kind == ParamTable.textKind else {
                    let value = try ParamValue(kind: kind, text: try row.text(3))
                    weights[run] += key.count + 32
                    return labels.add(param: key, value, run: run)
                }
                try row.readText(3) { text in
                    labels.add(param: key, text: text, run: run)
                    weights[run] += key.count + text.count + 16
                }
            }
        }
        if metrics { try readMetrics(of: ids, &place, &labels, &weights) }
        return (labels, weights)
    }

    /// From the lists that are kept, and of the other runs from the rows of the index.
    private func readMetrics<Labels: RunLabels>(
        of ids: [SQLValue], _ place: inout RunPlaces, _ labels: inout Labels,
        _ weights: inout [Int]
    ) throws {
        var isListed = Array(repeating: false, count: ids.count)
        try connection.query(
            "SELECT run_id, metrics FROM run_metric_lists "
                + "WHERE run_id IN (\(placeholders(ids.count))) ORDER BY run_id", ids
        ) { row in
            let run = try place.index(of: row)
            try row.readBlob(1) { bytes in
                isListed[run] = MetricList.read(bytes) { key, value, step, time in
                    labels.add(metric: key, value: value, step: step, time: time, run: run)
                    weights[run] += key.count + 32
                }
            }
        }
        let others = ids.indices.filter { !isListed[$0] }.map { ids[$0] }
        guard !others.isEmpty else { return }
        try connection.query(
            "SELECT run_id, key, value, step, time_us FROM run_metrics "
                + "WHERE run_id IN (\(placeholders(others.count))) ORDER BY run_id, key", others
        ) { row in
            let run = try place.index(of: row)
            let value = row.isNull(2) ? Double.nan : try row.double(2)
            let (step, time) = (try row.int(3), try row.int(4))
            try row.readText(1) { key in
                labels.add(metric: key, value: value, step: step, time: time, run: run)
                weights[run] += key.count + 32
            }
        }
    }
}

/// Finds where runs stand in a page, for rows that come run by run: each run is looked up once.
private struct RunPlaces {
    private let indexes: [Bytes16: Int]
    private var run: Bytes16?
    private var index = 0

    init(_ runs: [RunID]) {
        indexes = Dictionary(
            runs.enumerated().map { ($1.bytes, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// The place of the run in column 0.
    mutating func index(of row: any SQLRow) throws -> Int {
        let id = try row.bytes16(0) { try RunID(try row.blob(0)).bytes }
        guard id != run else { return index }
        guard let found = indexes[id] else {
            throw LinajeError(.internalError, "a row of a run that was not asked for was found")
        }
        (run, index) = (id, found)
        return found
    }
}
