import LinajeAgent
import LinajeClient
import LinajeDomain

/// A run that points of a file go into, each batch once.
///
/// Batches are cut by the order of the file alone, and the writer is named after file and run: an import
/// that is repeated cuts the same batches under the same numbers, and those that are durable are passed
/// over.
struct ImportedRun {
    /// Points of a batch, and bytes of the names of its series: it fits the least credit that a
    /// stream may have.
    private static let batchPoints = 4_096
    private static let batchNameBytes = 64 << 10

    let run: RunID
    private let writer: WriterID
    private var stream: MetricStream?
    /// Batches that were cut so far, and how many of them are durable already.
    private var cut: UInt64 = 0
    private var durable: UInt64 = 0
    private var places: [MetricSeries: UInt32] = [:]
    private var series: [MetricSeries] = []
    private var index: [UInt32] = []
    private var columns = MetricColumns()
    private var nameBytes = 0
    /// Points that were sent, and that were there already.
    private(set) var sent: UInt64 = 0
    private(set) var known: UInt64 = 0

    init(_ run: RunID, fingerprint: String) {
        self.run = run
        writer = DerivedIdentity.make(["import", fingerprint, "\(run)"])
    }

    var isOpen: Bool { stream != nil }

    mutating func add(_ row: PointRow, _ client: LinajeClient) async throws {
        let place: UInt32
        if let known = places[row.series] {
            place = known
        } else {
            place = UInt32(series.count)
            places[row.series] = place
            series.append(row.series)
            nameBytes +=
                64 + row.series.key.utf8.count + row.series.datasetName.utf8.count
                + row.series.datasetDigest.utf8.count
        }
        index.append(place)
        columns.append(row.point)
        if columns.count >= Self.batchPoints || nameBytes >= Self.batchNameBytes {
            try await send(client)
        }
    }

    /// Sends the rest and waits until all is durable. More may be added later.
    mutating func close(_ client: LinajeClient) async throws {
        try await send(client)
        let stream = stream.take()
        try await stream?.finish()
    }

    /// Leaves what was begun to a later import.
    mutating func abandon() { stream.take()?.abandon() }

    private mutating func send(_ client: LinajeClient) async throws {
        guard columns.count > 0 else { return }
        if stream == nil {
            // A run that has ended takes what was recorded before.
            let opened = try await client.metricStream(run: run, writer: writer, replay: true)
            durable = max(durable, opened.lastNumber)
            stream = opened
        }
        cut += 1
        if cut <= durable {
            known += UInt64(columns.count)
        } else if let stream {
            let number = try await stream.send(
                columns, of: try MetricSeriesSet(series), index: series.count == 1 ? [] : index)
            guard number == cut else {
                throw LinajeError(
                    .internalError, "batch \(cut) of the import went to run \(run) as \(number)")
            }
            sent += UInt64(columns.count)
        }
        places.removeAll(keepingCapacity: true)
        series.removeAll(keepingCapacity: true)
        index.removeAll(keepingCapacity: true)
        columns = MetricColumns()
        nameBytes = 0
    }
}
