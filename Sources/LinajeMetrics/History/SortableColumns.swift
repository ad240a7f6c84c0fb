import LinajeDomain

/// Columns that are put in the order (step, time), points equal in both staying as they came.
struct SortableColumns {
    private(set) var columns = MetricColumns()
    private var isSorted = true

    var count: Int { columns.count }

    mutating func append(_ point: MetricPoint) {
        if isSorted, count > 0, MetricPoint.precedes(point, columns[count - 1]) {
            isSorted = false
        }
        columns.append(point)
    }

    /// Appends points that are in order among themselves, as those of a chunk are.
    mutating func append(_ sorted: MetricColumns) {
        guard sorted.count > 0 else { return }
        if isSorted, count > 0, MetricPoint.precedes(sorted[0], columns[count - 1]) {
            isSorted = false
        }
        columns.append(contentsOf: sorted)
    }

    mutating func sort() {
        guard !isSorted else { return }
        let before = columns
        let order = (0..<count).sorted { left, right in
            let (first, second) = (before[left], before[right])
            if MetricPoint.precedes(first, second) { return true }
            if MetricPoint.precedes(second, first) { return false }
            return left < right
        }
        columns = MetricColumns(
            steps: order.map { before.steps[$0] }, times: order.map { before.times[$0] },
            values: order.map { before.values[$0] })
        isSorted = true
    }
}
