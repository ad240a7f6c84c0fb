import LinajePluginKit

/// Collects what belongs to many owners from rows that come owner by owner: each owner is looked up
/// once instead of once a row.
struct GroupedRows<Element> {
    private var groups: [SQLValue: [Element]] = [:]
    private var owner: SQLValue = .null
    private var elements: [Element] = []

    /// Adds what a row says of the owner in column `index` of it.
    mutating func add(_ element: Element, of row: any SQLRow, owner index: Int = 0) {
        if !row.holds(index, owner) {
            close()
            owner = row[index]
        }
        elements.append(element)
    }

    /// Everything, by owner.
    mutating func finish() -> [SQLValue: [Element]] {
        close()
        return groups
    }

    private mutating func close() {
        guard !elements.isEmpty else { return }
        groups[owner, default: []] += elements
        elements.removeAll(keepingCapacity: true)
    }
}
