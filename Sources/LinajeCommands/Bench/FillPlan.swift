import Glibc
import LinajeClient
import LinajeDomain

/// The runs that `linaje bench fill` makes: all of them a function of the seed and of a run's number,
/// so that the same command makes the same store, and a fill that was interrupted goes on.
struct FillPlan: Sendable {
    let seed: UInt64
    let runs: Int
    /// Of each run, and points of each metric.
    let metrics: Int
    let params: Int
    let points: Int

    /// Names come in the order in which people would miss them; the rest is numbered.
    let metricKeys: [String]
    let paramKeys: [String]

    private static let knownMetrics = [
        "loss", "val_acc", "val_loss", "train_acc", "learning_rate", "grad_norm", "samples_per_s",
        "f1", "auc", "precision", "recall", "perplexity", "weight_norm", "step_time_ms",
        "system/cpu_utilization_percentage", "system/memory_used_megabytes",
        "system/gpu_0_utilization_percentage", "system/gpu_0_memory_usage_megabytes",
        "system/gpu_0_power_usage_watts", "system/disk_used_megabytes",
    ]
    private static let knownParams = [
        "lr", "batch_size", "optimizer", "model", "epochs", "dropout", "weight_decay", "seed",
        "warmup_steps", "augment",
    ]
    /// 1 January 2026; the last run starts 300 days later.
    private static let firstStart: Int64 = 1_767_225_600_000_000
    private static let span: Int64 = 300 * 86_400_000_000
    /// Points of one batch, at most: what a stream's first credit holds with the series' names.
    private static let batchPoints = 8_000

    init(seed: UInt64, runs: Int, metrics: Int, params: Int, points: Int) {
        self.seed = seed
        self.runs = runs
        self.metrics = metrics
        self.params = params
        self.points = points
        metricKeys = Self.keys(Self.knownMetrics, metrics, "metric")
        paramKeys = Self.keys(Self.knownParams, params, "param")
    }

    private static func keys(_ known: [String], _ count: Int, _ rest: String) -> [String] {
        known.prefix(count) + (min(known.count, count)..<count).map { "\(rest)_\($0)" }
    }

    /// The name of one of the experiments.
    func experimentName(_ number: Int) -> String { "linaje-bench-fill-\(seed)-\(number)" }

    func run(_ index: Int) -> FillRun { FillRun(self, index) }

    /// Steps of one batch, at least 1.
    var batchSteps: Int { max(1, Self.batchPoints / max(1, metrics)) }

    /// When a run of a number starts.
    func startedAt(_ index: Int) -> Int64 {
        Self.firstStart + Self.span / Int64(max(1, runs)) * Int64(index)
    }
}

/// One run of a plan.
struct FillRun: Sendable {
    /// What becomes of its training.
    private enum Course {
        case good
        /// The loss is NaN from the middle on; the run has failed.
        case diverges
        /// Never validated: no `val_…`, no scores.
        case unvalidated
        /// Ended before its first step.
        case silent
    }

    let index: Int
    let id: RunID
    let writer: WriterID
    let status: RunStatus
    let startedAt: Timestamp
    let endedAt: Timestamp
    /// What its metrics are called.
    let keys: [String]

    private let plan: FillPlan
    private let course: Course
    private let paramValues: [Param]
    private let tags: [Tag]
    /// How good the run is, 0 to 1: metrics and params go together.
    private let quality: Double
    private let noise: UInt64
    private let stepTime: Int64

    private static let unvalidatedKeys: Set<String> = [
        "val_acc", "val_loss", "f1", "auc", "precision", "recall",
    ]
    private static let optimizers = ["adam", "adamw", "sgd", "rmsprop", "lion"]
    private static let models = ["resnet50", "vit-base", "convnext", "bert-base", "gpt2", "mlp"]
    private static let teams = ["vision", "language", "speech", "ranking", "robotics"]
    private static let datasets = ["imagenet", "coco", "c4", "librispeech", "movielens", "cifar10"]

    init(_ plan: FillPlan, _ index: Int) {
        var random = SplitMix(plan.seed &* 0x9E6C_63D0_876A_68DE &+ UInt64(index) &* 1_000_003)
        self.plan = plan
        self.index = index
        id = RunID.timeOrdered(
            at: UInt64(plan.startedAt(index) / 1_000), using: &random)
        writer = WriterID(bytes: Bytes16(high: random.next(), low: random.next()))
        noise = random.next()
        let rate = pow(10, -5 + 4 * random.unit())
        // Best near 10⁻³, worse to either side, and never quite what one expects.
        quality = max(0, min(1, 1 - abs(log10(rate) + 3) / 3 - 0.3 * random.unit()))
        let chance = random.unit()
        course =
            switch chance {
            case ..<0.02: .diverges
            case ..<0.06: .unvalidated
            case ..<0.07: .silent
            default: .good
            }
        let end = random.unit()
        status =
            switch (course, end) {
            case (.diverges, _), (.silent, _): .failed
            case (_, ..<0.82): .finished
            case (_, ..<0.90): .failed
            case (_, ..<0.95): .killed
            default: .running
            }
        stepTime = 1_000 * (20 + Int64(random.next() % 2_000))
        let start = plan.startedAt(index)
        startedAt = Timestamp(microseconds: start)
        endedAt = Timestamp(microseconds: start + stepTime * Int64(plan.points + 1))
        keys =
            switch course {
            case .silent: []
            case .unvalidated: plan.metricKeys.filter { !Self.unvalidatedKeys.contains($0) }
            case .good, .diverges: plan.metricKeys
            }
        paramValues = Self.params(plan, rate, &random)
        tags = [
            Tag(key: "team", value: Self.pick(Self.teams, &random)),
            Tag(key: "dataset", value: Self.pick(Self.datasets, &random)),
            Tag(key: "host", value: "train-\(random.next() % 40)"),
        ]
    }

    private static func pick(_ values: [String], _ random: inout SplitMix) -> String {
        values[Int(random.next() % UInt64(values.count))]
    }

    /// With three significant digits, as people write a learning rate.
    private static func rounded(_ value: Double) -> Double {
        let scale = pow(10, floor(log10(value)) - 2)
        return Double(Rendering.number((value / scale).rounded() * scale)) ?? value
    }

    private static func params(
        _ plan: FillPlan, _ rate: Double, _ random: inout SplitMix
    ) -> [Param] {
        plan.paramKeys.enumerated().map { place, key in
            let draw = random.next()
            let value: ParamValue =
                switch key {
                case "lr": .double(rounded(rate))
                case "batch_size": .int(16 << Int64(draw % 6))
                case "optimizer": .string(optimizers[Int(draw % 5)])
                case "model": .string(models[Int(draw % 6)])
                case "epochs": .int(10 * Int64(1 + draw % 20))
                case "dropout": .double(Double(draw % 6) / 10)
                case "weight_decay": .double([0, 0.0001, 0.001, 0.01][Int(draw % 4)])
                case "seed": .int(Int64(draw % 1_000))
                case "warmup_steps": .int(100 * Int64(draw % 21))
                case "augment": .bool(draw % 2 == 0)
                default: place % 2 == 0 ? .int(Int64(draw % 100)) : .string("value-\(draw % 100)")
                }
            return Param(key: key, value: value)
        }
    }

    /// How it is created.
    func new(in experiment: ExperimentID) -> NewRun {
        var run = NewRun(
            id: id, experimentID: experiment, name: "fill-\(plan.seed)-\(index)")
        run.user = "bench"
        run.startedAt = startedAt
        run.params = paramValues
        run.tags = tags
        return run
    }

    /// In how many batches its points are sent.
    var batches: Int {
        keys.isEmpty ? 0 : (plan.points + plan.batchSteps - 1) / plan.batchSteps
    }

    /// The steps of a batch, counted from 0.
    func steps(ofBatch number: Int) -> Range<Int> {
        let first = number * plan.batchSteps
        return first..<min(plan.points, first + plan.batchSteps)
    }

    /// The points of some steps, step by step as a training loop logs them, and which of `keys` each
    /// belongs to.
    func points(_ steps: Range<Int>) -> (columns: MetricColumns, index: [UInt32]) {
        var columns = MetricColumns(steps: [], times: [], values: [])
        var index: [UInt32] = []
        let count = steps.count * keys.count
        columns.steps.reserveCapacity(count)
        columns.times.reserveCapacity(count)
        columns.values.reserveCapacity(count)
        index.reserveCapacity(count)
        for step in steps {
            let time = (startedAt.microseconds + stepTime * Int64(step + 1)) / 1_000 * 1_000
            for (place, key) in keys.enumerated() {
                columns.steps.append(Int64(step))
                columns.times.append(time)
                columns.values.append(value(key, place, step))
                index.append(UInt32(place))
            }
        }
        return (columns, index)
    }

    /// A value as a training would log it: computed in single precision.
    private func value(_ key: String, _ place: Int, _ step: Int) -> Double {
        let progress = Double(step + 1) / Double(plan.points)
        if course == .diverges, progress > 0.5, key.hasSuffix("loss") { return .nan }
        var random = SplitMix(noise &+ UInt64(place) << 32 &+ UInt64(step))
        let jitter = random.unit() - 0.5
        // What has been learnt so far.
        let learnt = quality * (1 - exp(-5 * progress))
        let value =
            switch key {
            case "loss", "val_loss": 0.02 + 2.3 * (1 - learnt) * (1 + 0.1 * jitter)
            case "perplexity": exp(2.3 * (1 - learnt) * (1 + 0.1 * jitter))
            case "learning_rate": 0.001 * 0.5 * (1 + cos(Double.pi * progress))
            case "val_acc", "train_acc", "f1", "auc", "precision", "recall":
                max(0, min(1, 0.1 + 0.88 * learnt + 0.02 * jitter))
            case "grad_norm", "weight_norm": 0.5 + 4 * (1 - learnt) + abs(jitter)
            case _ where key.hasSuffix("percentage"): (50 + 95 * jitter).rounded()
            case _ where key.hasSuffix("megabytes"): (12_000 + 500 * jitter).rounded()
            default: 100 * (1 + quality + 0.05 * jitter)
            }
        return Double(Float(value))
    }
}
