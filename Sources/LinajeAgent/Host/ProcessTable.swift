import Glibc

/// All processes at one moment, and who descends from whom.
package struct ProcessTable: Sendable {
    package let processes: [Int32: ProcessReading]
    private let children: [Int32: [Int32]]

    package init(_ readings: [ProcessReading]) {
        processes = Dictionary(readings.map { ($0.pid, $0) }, uniquingKeysWith: { $1 })
        children = Dictionary(grouping: readings, by: \.parent).mapValues { $0.map(\.pid) }
    }

    /// Reads /proc. One process is one small file: some 10 µs.
    static func read() -> ProcessTable {
        guard let folder = opendir("/proc") else { return ProcessTable([]) }
        defer { closedir(folder) }
        var readings: [ProcessReading] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while let entry = readdir(folder), readings.count < AgentLimits.processes {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let pid = Int32(name), pid > 0 else { continue }
            let file = openat(dirfd(folder), name + "/stat", O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { continue }
            let count = Glibc.read(file, &buffer, buffer.count)
            close(file)
            if count > 0, let reading = ProcessReading(stat: buffer[..<count]) {
                readings.append(reading)
            }
        }
        return ProcessTable(readings)
    }

    /// A process and all that descend from it, but for the trees of `others`, which somebody else
    /// answers for.
    package func tree(of root: Int32, without others: Set<Int32> = []) -> Set<Int32> {
        guard processes[root] != nil else { return [] }
        var found: Set<Int32> = [root]
        var waiting = [root]
        while let pid = waiting.popLast() {
            for child in children[pid] ?? [] where !others.contains(child) {
                if found.insert(child).inserted { waiting.append(child) }
            }
        }
        return found
    }

    /// The process of an identity, if it is still there.
    package func process(_ identity: ProcessReading.Identity) -> ProcessReading? {
        processes[identity.pid].flatMap { $0.start == identity.start ? $0 : nil }
    }
}
