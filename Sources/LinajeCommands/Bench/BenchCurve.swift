import Glibc
import LinajeDomain

/// Series as trainings and hosts make them, computed from a seed: what storage is measured by.
enum BenchCurve: String, CaseIterable, Sendable {
    /// A loss that a training computed in single precision and logged each step, some 140 ms apart,
    /// with the time in whole milliseconds.
    case losses
    /// What `linaje agent` samples of a host each 10 seconds, 16 series.
    case system

    /// Of a run, by their places.
    var series: [MetricSeries] {
        switch self {
        case .losses: [MetricSeries(key: "loss")]
        case .system: Self.systemKeys.map { MetricSeries(key: "system/" + $0) }
        }
    }

    private static let systemKeys = [
        "cpu_utilization_percentage", "system_memory_usage_megabytes",
        "system_memory_usage_percentage", "disk_usage_megabytes", "disk_usage_percentage",
        "network_receive_megabytes", "network_transmit_megabytes", "disk_read_megabytes",
        "gpu_0_utilization_percentage", "gpu_0_memory_usage_megabytes", "gpu_0_power_usage_watts",
        "gpu_0_temperature_celsius", "process/cpu_utilization_percentage",
        "process/memory_rss_megabytes", "process/cpu_seconds", "process/cpu_energy_joules",
    ]
    private static let firstTime: Int64 = 1_767_225_600_000_000

    /// Makes the points of a run, step after step: the same for the same seed.
    struct Generator {
        let curve: BenchCurve
        private var random: SplitMix
        private var step: Int64 = 0
        private var time = BenchCurve.firstTime
        /// What goes on from step to step.
        private var load = 50.0
        private var memory = 24_000.0
        private var sums = [0.0, 0, 0, 0, 0]

        init(_ curve: BenchCurve, seed: UInt64) {
            self.curve = curve
            random = SplitMix(seed &* 1_000_003 &+ UInt64(curve.series.count))
        }

        /// The next steps, all series of one after the other, as they would arrive.
        mutating func next(_ steps: Int) -> (columns: MetricColumns, index: [UInt32]) {
            var columns = MetricColumns()
            var index: [UInt32] = []
            for _ in 0..<steps {
                let values = curve == .losses ? [loss()] : sample()
                for (place, value) in values.enumerated() {
                    columns.append(MetricPoint(step: step, time: time, value: value))
                    index.append(UInt32(place))
                }
                step += 1
                let pause: Int64 = curve == .losses ? 137 : 10_000
                time += 1_000 * (pause + Int64(random.next() % 7))
            }
            return (columns, curve == .losses ? [] : index)
        }

        /// Falls as a power of the step, with the noise of batches.
        private mutating func loss() -> Double {
            let noise = 1 + 0.1 * (random.unit() + random.unit() - 1)
            return Double(Float((0.2 + 2.3 * pow(1 + Double(step) / 50, -0.4)) * noise))
        }

        private mutating func sample() -> [Double] {
            load = min(100, max(0, load + 20 * (random.unit() - 0.5)))
            memory = min(60_000, max(4_000, memory + 40 * (random.unit() - 0.5)))
            let shares = [12.5, 0.3, 0.05, load / 10, load * 0.3]
            for place in sums.indices { sums[place] += shares[place] * random.unit() }
            let gpu = random.next() % 4 == 0 ? 60 + 40 * random.unit() : 97 + 3 * random.unit()
            let values = [
                load, memory, memory / 640, 512_000 + sums[2], (512_000 + sums[2]) / 20_000,
                sums[0], sums[1], sums[2], gpu.rounded(), 71_303.2, 250 + gpu, 60 + gpu / 10,
                load * 3, memory * 0.6, sums[3], sums[4],
            ]
            return values.enumerated().map { place, value in
                // The digits that the agent keeps.
                let scale: Double = (5...7).contains(place) || place > 13 ? 1_000 : 10
                return (value * scale).rounded() / scale
            }
        }
    }
}
