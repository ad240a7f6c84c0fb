import CLinux
import Glibc
import LinajeDomain
import LinajeHost

/// The machine at one moment. What cannot be read is `nil`.
struct HostReading: Sendable {
    /// Seconds of the monotonic clock, and microseconds since 1970 UTC.
    var instant: Double
    var time: Int64
    var processor: HostText.ProcessorTime?
    var memory: (total: UInt64, available: UInt64)?
    var network: (received: UInt64, sent: UInt64)?
    var disks: (read: UInt64, written: UInt64)?
    /// The file system of "/".
    var space: (used: UInt64, available: UInt64)?
    var pressure: [(name: String, some: UInt64?, full: UInt64?)] = []
    /// Joules of each processor package since an unknown moment, and where the counter starts anew.
    var energy: [String: (joules: Double, range: Double)] = [:]
    var gpus: [GPUReading] = []

    static func take(_ gpus: GPULibrary?) -> HostReading {
        var clock = timespec()
        clock_gettime(CLOCK_MONOTONIC, &clock)
        var reading = HostReading(
            instant: Double(clock.tv_sec) + Double(clock.tv_nsec) / 1e9,
            time: SystemClock().now().microseconds)
        reading.processor = HostText.processorTime(SmallFile.text("/proc/stat"))
        reading.memory = HostText.memory(SmallFile.text("/proc/meminfo"))
        reading.network = HostText.network(SmallFile.text("/proc/net/dev"))
        reading.disks = HostText.disks(SmallFile.text("/proc/diskstats")) { name in
            // A whole disk has a folder here; one that is made of others has no device.
            SmallFile.exists("/sys/block/\(name)/device")
        }
        var system = clinux_file_system()
        if clinux_file_system("/", &system) == 0, system.total_bytes >= system.free_bytes {
            reading.space = (system.total_bytes - system.free_bytes, system.free_bytes)
        }
        for name in ["cpu", "memory", "io"] {
            let text = SmallFile.text("/proc/pressure/\(name)")
            guard !text.isEmpty else { continue }
            let (some, full) = HostText.pressure(text)
            reading.pressure.append((name, some, full))
        }
        reading.readEnergy()
        reading.gpus = gpus?.read() ?? []
        return reading
    }

    /// Packages of the powercap framework (RAPL). Most kernels let only root read them.
    private mutating func readEnergy() {
        for index in 0..<16 {
            let folder = "/sys/class/powercap/intel-rapl:\(index)"
            guard let joules = UInt64(SmallFile.text(folder + "/energy_uj")) else { break }
            let range = UInt64(SmallFile.text(folder + "/max_energy_range_uj")) ?? 0
            energy[folder] = (Double(joules) / 1e6, Double(range) / 1e6)
        }
    }
}

/// What happened between two readings.
struct HostChange: Sendable {
    var seconds: Double
    /// Seconds that all processors together have worked.
    var busySeconds: Double?
    var cpuJoules: Double?
    /// Joules of each GPU, by its index.
    var gpuJoules: [Int: Double] = [:]

    init(_ now: HostReading, after before: HostReading, ticksPerSecond: Double) {
        seconds = max(now.instant - before.instant, 1e-3)
        if let new = now.processor, let old = before.processor, new.busy >= old.busy {
            busySeconds = Double(new.busy - old.busy) / ticksPerSecond
        }
        for (name, new) in now.energy {
            guard let old = before.energy[name] else { continue }
            let grown = new.joules - old.joules
            cpuJoules = (cpuJoules ?? 0) + (grown < 0 ? max(0, grown + new.range) : grown)
        }
        for gpu in now.gpus {
            let old = before.gpus.first { $0.index == gpu.index }
            if let new = gpu.energyJoules, let old = old?.energyJoules {
                gpuJoules[gpu.index] = max(0, new - old)
            } else if let watts = gpu.powerWatts {
                gpuJoules[gpu.index] = watts * seconds
            }
        }
    }
}
