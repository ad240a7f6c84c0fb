import LinajeDomain

/// The last points of a series that were shown, so that none is shown twice.
struct RecentPoints {
    /// Points that are remembered.
    static let capacity = 1_024

    /// A point by its bits, so that NaN is equal to itself.
    struct Mark: Hashable {
        var step: Int64
        var time: Int64
        var bits: UInt64

        init(_ point: MetricPoint) {
            (step, time, bits) = (point.step, point.time, point.value.bitPattern)
        }
    }

    private var ring: [Mark] = []
    private var next = 0
    /// The latest moment of those that are remembered no more.
    private var forgotten: Int64?

    mutating func add(_ point: MetricPoint) {
        let mark = Mark(point)
        if ring.count < Self.capacity {
            ring.append(mark)
        } else {
            forgotten = max(forgotten ?? .min, ring[next].time)
            ring[next] = mark
            next = (next + 1) % Self.capacity
        }
    }

    /// The moment from which on everything that was shown is remembered; `nil`: nothing was shown.
    var since: Int64? {
        guard let forgotten else { return ring.map(\.time).min() }
        return forgotten == .max ? .max : forgotten + 1
    }

    /// How often each is remembered.
    var marks: [Mark: Int] { ring.reduce(into: [:]) { $0[$1, default: 0] += 1 } }
}
