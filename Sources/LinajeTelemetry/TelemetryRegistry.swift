package import Metrics
import Synchronization

/// Where everything that the daemon counts about itself comes together: the backend of
/// swift-metrics, and the text that is exported.
///
/// The engines count through `Counter`, `Meter`, `Recorder` and `Timer` of swift-metrics, each made
/// once and kept, and know nothing of this type. Making one takes a lock; counting is one atomic
/// addition (two for a histogram). Making the same one again gives the same series.
package final class TelemetryRegistry: MetricsFactory {
    /// One line of a family; which kind of it, the family says.
    private enum Series {
        case counter(CounterSeries)
        case gauge(GaugeSeries)
        case histogram(HistogramSeries)
    }

    private struct State {
        var families: [String: MetricFamily]
        var series: [String: [[MetricLabel]: Series]] = [:]
    }

    /// Most series of one family. Labels are closed sets, so it is never reached; should it be,
    /// the rest is counted as one series whose labels are all "other".
    private static let seriesPerFamily = 1_024

    private let state: Mutex<State>

    /// - Parameter families: what the metrics mean; one that is not described is exported too.
    package init(families: [MetricFamily] = MetricFamily.all) {
        state = Mutex(
            State(
                families: Dictionary(
                    families.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })))
    }

    // MARK: The backend of swift-metrics

    package func makeCounter(
        label: String, dimensions: [(String, String)]
    ) -> any CounterHandler {
        let name = MetricText.name(label, suffix: "_total")
        let series = find(MetricFamily(name, .counter, ""), dimensions) { _ in
            .counter(CounterSeries())
        }
        if case .counter(let counter) = series { return counter }
        return CounterSeries()
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, dimensions)
    }

    /// One that aggregates is a histogram, one that does not is a gauge.
    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        aggregate
            ? histogram(MetricText.name(label), .counts, dimensions) : gauge(label, dimensions)
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(MetricText.name(label, suffix: "_seconds"), .seconds, dimensions)
    }

    // A series stays when its last user has gone: one that vanished and came back would look like
    // a restart of the daemon.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeSeries {
        let family = MetricFamily(MetricText.name(label), .gauge, "")
        if case .gauge(let gauge) = find(family, dimensions, { _ in .gauge(GaugeSeries()) }) {
            return gauge
        }
        return GaugeSeries()
    }

    private func histogram(
        _ name: String, _ buckets: HistogramBuckets, _ dimensions: [(String, String)]
    ) -> HistogramSeries {
        let series = find(MetricFamily(name, .histogram(buckets), ""), dimensions) { family in
            guard case .histogram(let buckets) = family.kind else { return nil }
            return .histogram(HistogramSeries(buckets))
        }
        if case .histogram(let histogram) = series { return histogram }
        return HistogramSeries(buckets)
    }

    /// The series of a family, made if it is not there. One of another kind than its family's is
    /// given to the caller alone and exported nowhere.
    private func find(
        _ undescribed: MetricFamily, _ dimensions: [(String, String)],
        _ make: (MetricFamily) -> Series?
    ) -> Series? {
        let labels = MetricText.labels(dimensions)
        return state.withLock { state in
            let family = state.families[undescribed.name] ?? undescribed
            guard family.kind.word == undescribed.kind.word else { return nil }
            state.families[family.name] = family
            if let known = state.series[family.name]?[labels] { return known }
            let isFull = state.series[family.name, default: [:]].count >= Self.seriesPerFamily
            let place = isFull ? labels.map { MetricLabel($0.name, "other") } : labels
            if let known = state.series[family.name]?[place] { return known }
            let series = make(family)
            state.series[family.name, default: [:]][place] = series
            return series
        }
    }

    // MARK: What was counted

    /// The sum of a counter over those of its series whose labels `isWanted` takes.
    package func total(
        _ name: String, where isWanted: ([MetricLabel]) -> Bool = { _ in true }
    ) -> UInt64 {
        state.withLock { state in
            state.series[name, default: [:]].reduce(into: 0) { total, entry in
                if case .counter(let counter) = entry.value, isWanted(entry.key) {
                    total &+= counter.value
                }
            }
        }
    }

    /// A histogram, all its series together; `nil` when there is none of that name.
    package func histogram(_ name: String) -> HistogramSnapshot? {
        state.withLock { state in
            var sum: HistogramSnapshot?
            for case .histogram(let series) in state.series[name, default: [:]].values {
                if sum == nil { sum = series.snapshot } else { sum?.add(series.snapshot) }
            }
            return sum
        }
    }

    /// Everything in the Prometheus text format 0.0.4: families by name, series by labels, so that
    /// the same state gives the same text.
    ///
    /// - Parameter samples: values that were looked up just now.
    package func text(_ samples: [MetricSample] = []) -> String {
        let (families, counted) = state.withLock { ($0.families, $0.series) }
        let sampled = Dictionary(grouping: samples, by: \.name)
        var text = MetricText()
        for name in Set(families.keys).union(sampled.keys).sorted() {
            let family = families[name] ?? MetricFamily(name, .gauge, "")
            text.begin(family)
            var lines: [(labels: [MetricLabel], value: MetricText.Value)] =
                counted[name, default: [:]].map { ($0.key, Self.value(of: $0.value)) }
            var seen = Set(lines.map(\.labels))
            for sample in sampled[name, default: []] {
                let labels = MetricText.labels(sample.labels.map { ($0.name, $0.value) })
                // The same series twice would make the whole text invalid.
                if seen.insert(labels).inserted { lines.append((labels, .number(sample.value))) }
            }
            for line in lines.sorted(by: { MetricText.isOrdered($0.labels, before: $1.labels) })
            where !family.isSparse || !line.value.isZero {
                text.add(family.name, line.labels, line.value)
            }
        }
        return text.out
    }

    private static func value(of series: Series) -> MetricText.Value {
        switch series {
        case .counter(let counter): .whole(counter.value)
        case .gauge(let gauge): .number(gauge.value)
        case .histogram(let histogram): .histogram(histogram.snapshot)
        }
    }
}
