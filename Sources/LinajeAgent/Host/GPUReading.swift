import CNVML
import Synchronization

/// One NVIDIA GPU at one moment. What its driver does not tell is `nil`.
struct GPUReading: Sendable {
    var index: Int
    var utilization: Double?
    var memoryUsed: UInt64?
    var memoryTotal: UInt64?
    var powerWatts: Double?
    var powerLimitWatts: Double?
    var temperature: Double?
    var eccCorrected: UInt64?
    var eccUncorrected: UInt64?
    var throttleReasons: UInt64?
    /// Since the driver was loaded.
    var energyJoules: Double?
    /// Bytes that processes hold on it.
    var processes: [Int32: UInt64] = [:]
}

/// NVIDIA's management library, where there is one.
final class GPULibrary: Sendable {
    // Safe because the pointer is only used under the lock.
    private struct Handle: @unchecked Sendable { var pointer: OpaquePointer }

    private let handle: Mutex<Handle>

    /// `nil` where the library is missing or finds no driver.
    init?(_ library: String = "libnvidia-ml.so.1") {
        guard let pointer = cnvml_open(library) else { return nil }
        handle = Mutex(Handle(pointer: pointer))
    }

    deinit { handle.withLock { cnvml_close($0.pointer) } }

    /// All GPUs now; one that does not answer is left out.
    func read() -> [GPUReading] {
        handle.withLock { handle in
            let count = min(Int(cnvml_count(handle.pointer)), AgentLimits.gpus)
            return (0..<count).compactMap { Self.read($0, handle.pointer) }
        }
    }

    private static func read(_ index: Int, _ pointer: OpaquePointer) -> GPUReading? {
        var raw = cnvml_gpu()
        guard cnvml_read(pointer, UInt32(index), &raw) == 0 else { return nil }
        func known<Value>(_ bit: UInt32, _ value: Value) -> Value? {
            raw.known & bit != 0 ? value : nil
        }
        var gpu = GPUReading(index: index)
        gpu.utilization = known(CNVML_UTILIZATION, Double(raw.utilization))
        gpu.memoryUsed = known(CNVML_MEMORY, raw.memory_used_bytes)
        gpu.memoryTotal = known(CNVML_MEMORY, raw.memory_total_bytes)
        gpu.powerWatts = known(CNVML_POWER, Double(raw.power_milliwatts) / 1_000)
        gpu.powerLimitWatts = known(CNVML_POWER_LIMIT, Double(raw.power_limit_milliwatts) / 1_000)
        gpu.temperature = known(CNVML_TEMPERATURE, Double(raw.temperature_celsius))
        gpu.eccCorrected = known(CNVML_ECC_CORRECTED, raw.ecc_corrected)
        gpu.eccUncorrected = known(CNVML_ECC_UNCORRECTED, raw.ecc_uncorrected)
        gpu.throttleReasons = known(CNVML_THROTTLE, raw.throttle_reasons)
        gpu.energyJoules = known(CNVML_ENERGY, Double(raw.energy_millijoules) / 1_000)
        var processes = [cnvml_process](
            repeating: cnvml_process(), count: AgentLimits.gpuProcesses)
        let count = cnvml_processes(pointer, UInt32(index), &processes, UInt32(processes.count))
        for process in processes.prefix(Int(count)) {
            guard let pid = Int32(exactly: process.pid) else { continue }
            gpu.processes[pid, default: 0] &+= process.memory_bytes
        }
        return gpu
    }
}
