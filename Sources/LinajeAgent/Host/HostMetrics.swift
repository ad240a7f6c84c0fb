/// Metrics of one moment by their names.
package typealias MetricValues = [(key: String, value: Double)]

/// The names under which MLflow's clients log a machine, so that its pages find them, and Linaje's
/// own for what MLflow lacks. A megabyte has 1,000,000 bytes, as there.
enum HostMetrics {
    static let megabyte = 1e6

    /// Values with the digits that are worth keeping: a tenth of a percent, megabyte, watt or degree
    /// as MLflow's clients keep them, a thousandth of what is summed up over a run. The rest is noise
    /// that would be most of what a point costs on the disk.
    static func rounded(_ values: MetricValues) -> MetricValues {
        values.map { key, value in
            let scale: Double =
                RunMeter.cumulative.contains(key) || !gauges.contains(where: key.hasSuffix)
                ? 1_000 : 10
            let scaled = value * scale
            // From here on doubles have no such digits, and a product would lose others.
            guard abs(scaled) < 0x1p53 else { return (key, value) }
            return (key, scaled.rounded() / scale)
        }
    }

    private static let gauges = ["_percentage", "_megabytes", "_watts", "_celsius"]

    /// What is true of the machine, whichever run looks.
    static func values(_ now: HostReading, after before: HostReading?) -> MetricValues {
        var out: MetricValues = []
        if let new = now.processor, let old = before?.processor, new.total > old.total,
            new.busy >= old.busy
        {
            let share = Double(new.busy - old.busy) / Double(new.total - old.total)
            out.append(("system/cpu_utilization_percentage", 100 * share))
        }
        if let (total, available) = now.memory {
            let used = Double(total - available)
            out.append(("system/system_memory_usage_megabytes", used / megabyte))
            out.append(("system/system_memory_usage_percentage", 100 * used / Double(total)))
        }
        if let (used, available) = now.space {
            let all = Double(used) + Double(available)
            out.append(("system/disk_usage_megabytes", Double(used) / megabyte))
            out.append(("system/disk_available_megabytes", Double(available) / megabyte))
            if all > 0 { out.append(("system/disk_usage_percentage", 100 * Double(used) / all)) }
        }
        if let before { out += pressure(now, after: before) }
        for gpu in now.gpus { out += values(gpu) }
        return out
    }

    /// The share of the time in which tasks waited.
    private static func pressure(_ now: HostReading, after before: HostReading) -> MetricValues {
        var out: MetricValues = []
        let microseconds = max(now.instant - before.instant, 1e-3) * 1e6
        for (name, some, full) in now.pressure {
            guard let old = before.pressure.first(where: { $0.name == name }) else { continue }
            for (kind, new, old) in [("some", some, old.some), ("full", full, old.full)] {
                guard let new, let old, new >= old else { continue }
                let share = min(100, 100 * Double(new - old) / microseconds)
                out.append(("system/pressure_\(name)_\(kind)_percentage", share))
            }
        }
        return out
    }

    private static func values(_ gpu: GPUReading) -> MetricValues {
        var out: MetricValues = []
        func add(_ name: String, _ value: Double?) {
            if let value { out.append(("system/gpu_\(gpu.index)_\(name)", value)) }
        }
        add("utilization_percentage", gpu.utilization)
        if let used = gpu.memoryUsed, let total = gpu.memoryTotal {
            add("memory_usage_megabytes", Double(used) / megabyte)
            add("memory_usage_percentage", total > 0 ? 100 * Double(used) / Double(total) : nil)
        }
        add("power_usage_watts", gpu.powerWatts)
        if let power = gpu.powerWatts, let limit = gpu.powerLimitWatts, limit > 0 {
            add("power_usage_percentage", 100 * power / limit)
        }
        add("temperature_celsius", gpu.temperature)
        add("ecc_corrected_errors", gpu.eccCorrected.map { Double($0) })
        add("ecc_uncorrected_errors", gpu.eccUncorrected.map { Double($0) })
        add("throttle_reasons", gpu.throttleReasons.map { Double($0) })
        return out
    }
}
