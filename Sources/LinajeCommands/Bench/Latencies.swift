/// How long many small things took.
struct Latencies: Sendable {
    private let sorted: [Duration]

    init(_ durations: [Duration]) { sorted = durations.sorted() }

    var count: Int { sorted.count }

    /// The duration that a share of them did not exceed; zero when there are none.
    func percentile(_ share: Double) -> Duration {
        guard !sorted.isEmpty else { return .zero }
        let index = Int((share * Double(sorted.count)).rounded(.up)) - 1
        return sorted[min(max(index, 0), sorted.count - 1)]
    }

    var p50: Duration { percentile(0.5) }

    var json: JSONValue {
        .object([
            ("count", .count(count)), ("p50_us", .double(microseconds(0.5))),
            ("p90_us", .double(microseconds(0.9))), ("p99_us", .double(microseconds(0.99))),
            ("max_us", .double(microseconds(1))),
        ])
    }

    /// For people: "p50 240 µs, p90 310 µs, p99 900 µs, max 2100 µs".
    var text: String {
        [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1)].map { name, share in
            "\(name) \(Rendering.decimal(microseconds(share), 0)) µs"
        }.joined(separator: ", ")
    }

    private func microseconds(_ share: Double) -> Double {
        percentile(share) / .microseconds(1)
    }
}
