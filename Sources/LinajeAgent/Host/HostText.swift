/// Readers of the kernel's texts: pure, and `nil` or empty for what is torn or something else.
package enum HostText {
    /// Time of all processors together, in clock ticks since boot.
    package struct ProcessorTime: Sendable, Hashable {
        package var busy: UInt64
        package var total: UInt64

        package init(busy: UInt64, total: UInt64) {
            self.busy = busy
            self.total = total
        }
    }

    /// The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal; guest
    /// time is in user time already.
    package static func processorTime(_ text: String) -> ProcessorTime? {
        guard let line = text.split(separator: "\n").first else { return nil }
        let words = line.split(separator: " ")
        guard words.first == "cpu", words.count >= 5 else { return nil }
        let fields = words.dropFirst().prefix(8).map { UInt64($0) }
        let numbers = fields.compactMap { $0 }
        guard numbers.count == fields.count else { return nil }
        let total = numbers.reduce(0, &+)
        let idle = numbers[3] &+ (numbers.count > 4 ? numbers[4] : 0)
        guard idle <= total else { return nil }
        return ProcessorTime(busy: total - idle, total: total)
    }

    /// Total and available memory in bytes, of /proc/meminfo.
    package static func memory(_ text: String) -> (total: UInt64, available: UInt64)? {
        var found: [Substring: UInt64] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, words[2] == "kB", let kilobytes = UInt64(words[1]),
                kilobytes < 1 << 50
            else { continue }
            found[words[0]] = kilobytes << 10
        }
        guard let total = found["MemTotal:"], let available = found["MemAvailable:"], total > 0
        else { return nil }
        return (total, min(total, available))
    }

    /// Bytes received and sent since boot over all interfaces but the loop-back, of /proc/net/dev.
    package static func network(_ text: String) -> (received: UInt64, sent: UInt64)? {
        var sum: (UInt64, UInt64)?
        for line in text.split(separator: "\n") {
            let halves = line.split(separator: ":", maxSplits: 1)
            guard halves.count == 2 else { continue }
            let words = halves[1].split(separator: " ")
            guard words.count >= 9, let received = UInt64(words[0]), let sent = UInt64(words[8])
            else { continue }
            let isLoop = halves[0].drop { $0 == " " } == "lo"
            let (first, second) = sum ?? (0, 0)
            sum = isLoop ? (first, second) : (first &+ received, second &+ sent)
        }
        return sum.map { (received: $0.0, sent: $0.1) }
    }

    /// Bytes read and written since boot by whole disks, of /proc/diskstats. Partitions and devices
    /// made of others are left out: they would count twice.
    package static func disks(
        _ text: String, isWhole: (Substring) -> Bool
    ) -> (read: UInt64, written: UInt64)? {
        var sum: (UInt64, UInt64)?
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 10, let read = UInt64(words[5]), let written = UInt64(words[9]),
                isWhole(words[2])
            else { continue }
            let (first, second) = sum ?? (0, 0)
            sum = (first &+ read &* 512, second &+ written &* 512)
        }
        return sum.map { (read: $0.0, written: $0.1) }
    }

    /// Microseconds in which some, and all, tasks waited, of a file in /proc/pressure.
    package static func pressure(_ text: String) -> (some: UInt64?, full: UInt64?) {
        var found: [Substring: UInt64] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let kind = words.first, let last = words.last, last.hasPrefix("total=") else {
                continue
            }
            found[kind] = UInt64(last.dropFirst("total=".count))
        }
        return (found["some"], found["full"])
    }

    /// Bytes that a process has made a disk read and write, of /proc/PID/io.
    package static func transfer(_ text: String) -> (read: UInt64, written: UInt64)? {
        guard let read = counter("read_bytes:", text), let written = counter("write_bytes:", text)
        else { return nil }
        return (read, written)
    }

    /// The number after a word at the beginning of a line.
    package static func counter(_ name: String, _ text: String) -> UInt64? {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == name { return UInt64(words[1]) }
        }
        return nil
    }
}
