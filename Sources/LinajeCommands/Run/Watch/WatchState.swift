import LinajeClient
import LinajeDomain

/// What becomes known of a run while it is watched.
enum WatchNews: Sendable {
    case run(Run, experiment: String)
    case history(MetricSeries, [MetricBucket])
    case points(MetricChunk)
    case summaries([MetricSummary])
    case log([LogLine])
    case missingLog(UInt64)
    /// The daemon does not answer; `nil`: it does again.
    case trouble(String?)
}

/// All that is known of a run, bounded.
struct WatchState {
    /// Most series that are kept; more are only counted.
    static let seriesLimit = 2_000
    /// Lines of the log that are kept.
    static let logLines = 50

    private(set) var run: Run?
    private(set) var experiment = ""
    private(set) var series: [MetricSeries: SampledSeries] = [:]
    private(set) var log: [LogLine] = []
    private(set) var missed: UInt64 = 0
    private(set) var uncounted = 0
    private(set) var pace = StepPace()
    var trouble: String?

    mutating func apply(_ news: WatchNews, now: ContinuousClock.Instant) {
        switch news {
        case .run(let run, let experiment): (self.run, self.experiment) = (run, experiment)
        case .history(let key, let buckets): update(key) { $0.setShape(buckets) }
        case .points(let chunk):
            missed += chunk.missed
            update(chunk.series) { series in
                for index in 0..<chunk.columns.count { series.add(chunk.columns[index], now: now) }
            }
            note(chunk.series)
        case .summaries(let summaries):
            uncounted = max(0, summaries.count - Self.seriesLimit)
            for summary in summaries {
                update(summary.series) { $0.set(summary) }
                if !summary.series.isSystem, pace.step == nil {
                    pace.add(step: summary.first.step, at: summary.first.time)
                }
                note(summary.series)
            }
        case .log(let lines): log = Array((log + lines).suffix(Self.logLines))
        case .missingLog: break
        case .trouble(let text): trouble = text
        }
    }

    private mutating func update(_ key: MetricSeries, _ body: (inout SampledSeries) -> Void) {
        guard series[key] != nil || series.count < Self.seriesLimit else { return }
        body(&series[key, default: SampledSeries()])
    }

    private mutating func note(_ key: MetricSeries) {
        guard !key.isSystem, let last = series[key]?.last else { return }
        pace.add(step: last.step, at: last.time)
    }

    // MARK: What follows from it

    /// The series in order: those of the training, then those of the machine, each by name.
    var ordered: [(key: MetricSeries, value: SampledSeries)] {
        series.sorted { left, right in
            (left.key.isSystem ? 1 : 0, left.key.name) < (
                right.key.isSystem ? 1 : 0, right.key.name
            )
        }
    }

    /// How many steps the run will have, if its params say so.
    var totalSteps: Int64? {
        for name in Self.totalNames {
            guard let value = run?.params.first(where: { $0.key == name })?.value else { continue }
            switch value {
            case .int(let number) where number > 0: return number
            case .double(let number):
                if let whole = Int64(exactly: number), whole > 0 { return whole }
            case .string(let text): if let whole = Int64(text), whole > 0 { return whole }
            default: break
            }
        }
        return nil
    }

    private static let totalNames = [
        "total_steps", "max_steps", "num_steps", "num_train_steps", "num_training_steps",
        "train_steps", "max_iters", "total_iters", "steps",
    ]

    /// How long the rest takes at this pace.
    var timeLeft: Duration? {
        guard let total = totalSteps, let step = pace.step, let rate = pace.stepsPerSecond,
            rate > 0,
            step < total, !(run?.status.isTerminal ?? true)
        else { return nil }
        let seconds = (Double(total) - Double(step)) / rate
        return seconds < 1e9 ? .seconds(seconds) : nil
    }
}

extension MetricSeries {
    /// Whether it is about the machine and not about the training.
    var isSystem: Bool { key.hasPrefix("system/") }
}
