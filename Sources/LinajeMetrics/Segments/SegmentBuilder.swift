import LinajeDomain

/// Merges batches of one writer into a segment.
struct SegmentBuilder {
    private(set) var segment = MetricSegment()
    /// Numbers of the first and last batch in it.
    private(set) var batches: ClosedRange<UInt64>
    private var places: [MetricSeries: UInt16] = [:]
    // Consecutive batches mostly speak of the same series: then nothing is looked up again.
    private var lastSeries: [MetricSeries] = []
    private var lastPlaces: [UInt16] = []

    /// Starts with one batch, which always fits.
    init(_ batch: MetricBatch) {
        batches = batch.sequence...batch.sequence
        append(batch)
    }

    /// Whether the bounds of a segment allow for one more batch.
    func hasRoom(for batch: MetricBatch) -> Bool {
        segment.count + batch.count <= MetricSegment.maximumPoints
            && places.count + batch.series.count <= MetricSegment.maximumSeries
    }

    /// Takes in the batch after the last one.
    mutating func append(_ batch: MetricBatch) {
        batches = batches.lowerBound...max(batches.lowerBound, batch.sequence)
        if batch.series != lastSeries {
            lastPlaces = batch.series.map { place(of: $0) }
            lastSeries = batch.series
        }
        let pointsBefore = segment.count
        segment.columns.steps.append(contentsOf: batch.columns.steps)
        segment.columns.times.append(contentsOf: batch.columns.times)
        segment.columns.values.append(contentsOf: batch.columns.values)
        guard segment.series.count > 1 else { return }
        if segment.seriesIndex.count < pointsBefore {
            // The second series came with this batch: what was before is of the first.
            segment.seriesIndex = [UInt16](repeating: 0, count: pointsBefore)
        }
        if batch.seriesIndex.isEmpty || lastPlaces.count == 1 {
            segment.seriesIndex.append(
                contentsOf: repeatElement(lastPlaces[0], count: batch.count))
        } else {
            for index in batch.seriesIndex { segment.seriesIndex.append(lastPlaces[Int(index)]) }
        }
    }

    private mutating func place(of series: MetricSeries) -> UInt16 {
        if let place = places[series] { return place }
        let place = UInt16(truncatingIfNeeded: places.count)
        places[series] = place
        segment.series.append(series)
        return place
    }

    /// The segments of a writer's batches, which are in order.
    static func segments(of batches: [MetricBatch]) -> [SegmentBuilder] {
        var out: [SegmentBuilder] = []
        for batch in batches {
            if let last = out.indices.last, out[last].hasRoom(for: batch) {
                out[last].append(batch)
            } else {
                out.append(SegmentBuilder(batch))
            }
        }
        return out
    }
}
