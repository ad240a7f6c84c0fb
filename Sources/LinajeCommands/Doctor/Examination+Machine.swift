import LinajeDomain
import LinajeHost

extension Examination {
    /// Limits, clock, memory and kernel of the machine.
    func machineFindings() -> [Diagnosis] {
        openFilesFindings() + backlogFindings() + [clockFinding()] + memoryFindings()
            + [kernelFinding()]
    }

    /// Each connection takes a descriptor of the daemon.
    private func openFilesFindings() -> [Diagnosis] {
        let (limit, whose) =
            facts.map { ($0.openFilesLimit, "the daemon") }
            ?? (ownFilesLimit, "a daemon that you start")
        guard limit > 0 else { return [] }
        let said = "\(whose) may open \(Rendering.grouped(limit)) files"
        guard limit < 4_096 else { return [.ok("open_files", said)] }
        return [
            .warning(
                "open_files", "\(said): about \(limit - min(limit, 64)) clients fit",
                "raise it: LimitNOFILE=65536 in the unit, or \"ulimit -Hn\" before linajed starts")
        ]
    }

    /// The hard limit, which linajed takes; 0 where it is not known.
    private var ownFilesLimit: UInt64 {
        let title = "Max open files"
        let lines = (machine.text(of: "/proc/self/limits") ?? "").split(separator: "\n")
        let numbers = lines.first { $0.hasPrefix(title) }?.dropFirst(title.count)
        return (numbers?.split(separator: " ").dropFirst().first).flatMap { UInt64($0) } ?? 0
    }

    private func backlogFindings() -> [Diagnosis] {
        let path = "/proc/sys/net/core/somaxconn"
        guard let text = machine.text(of: path), let bound = UInt64(text.filter(\.isNumber)) else {
            return []
        }
        let said = "\(Rendering.grouped(bound)) connections may wait to be taken up"
        guard bound < 1_024 else { return [.ok("backlog", said)] }
        return [
            .warning(
                "backlog", "\(said): more that come at once, as after a restart, have to try again",
                "sudo sysctl net.core.somaxconn=4096")
        ]
    }

    private func clockFinding() -> Diagnosis {
        let now = machine.now
        let text = "it is \(Rendering.shortTime(now)) UTC"
        // The first of January 2025: older than any Linaje.
        guard now.microseconds > 1_735_689_600_000_000 else {
            return .failure(
                "clock", "\(text): the clock is not set",
                "set it, e.g. by timedatectl or chrony; runs and events carry its time")
        }
        if let facts, facts.startedAt.microseconds > now.microseconds + 1_000_000 {
            return .warning(
                "clock",
                "\(text), but the daemon started at \(Rendering.shortTime(facts.startedAt)): "
                    + "the clock was set back",
                "keep it by chrony or systemd-timesyncd; what was recorded meanwhile has wrong times"
            )
        }
        return .ok("clock", text)
    }

    private func memoryFindings() -> [Diagnosis] {
        guard let text = machine.text(of: "/proc/meminfo"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") }),
            let number = line.split(separator: " ").dropFirst().first.flatMap({ UInt64($0) })
        else { return [] }
        let said = "\(ByteCount(number << 10)) of memory are available"
        guard number < 256 << 10 else { return [.ok("memory", said)] }
        return [
            .warning(
                "memory", "\(said): the daemon may be killed, and trainings with it",
                "run fewer of them, or let MemoryMin= of the unit keep 256 MiB for the daemon")
        ]
    }

    /// What the kernel has of what Linaje can use. Newer features are no fault when they are absent.
    private func kernelFinding() -> Diagnosis {
        let missing = missingFacilities
        let forbidden = KernelFacility.allCases.filter { facility in
            !missing.contains(facility)
                && facts?.missingFeatures.contains(facility.rawValue) == true
        }
        guard forbidden.isEmpty else {
            let names = forbidden.map { "\($0.rawValue): \($0.lostWithout)" }
            return .warning(
                "kernel",
                "the daemon may not use what the kernel has: without "
                    + names.joined(separator: "; without "),
                "see what forbids it: SystemCallFilter= of the unit, or the sandbox it runs in")
        }
        let release =
            (machine.text(of: "/proc/sys/kernel/osrelease") ?? "unknown")
            .split(separator: "\n").first.map(String.init) ?? "unknown"
        let losses = missing.map { facility in
            "without \(facility.rawValue) (Linux \(facility.since)) \(facility.lostWithout)"
        }
        let text = (["Linux \(release)"] + losses).joined(separator: "; ")
        guard missing.contains(where: \.isInBaseline) else { return .ok("kernel", text) }
        return .warning(
            "kernel", text,
            "Linaje goes on without; Linux 6.1 and later have it unless it is switched off or a "
                + "sandbox forbids it")
    }

    /// What this kernel lacks of what Linaje can use.
    var missingFacilities: [KernelFacility] {
        var present = machine.kernelFeatures()
        if hasMemoryEvents { present.insert(.memoryEvents) }
        return KernelFacility.allCases.filter { !present.contains($0) }
    }

    /// Whether a memory controller of cgroups is mounted, of version 1 or 2.
    private var hasMemoryEvents: Bool {
        let lines = (machine.text(of: "/proc/self/mountinfo") ?? "").split(separator: "\n")
        return MemoryGroup.mounts(in: lines).contains { mount in
            guard mount.isVersion2 else { return true }
            let controllers = machine.text(of: mount.point + "/cgroup.controllers") ?? ""
            return controllers.split(whereSeparator: \.isWhitespace).contains("memory")
        }
    }
}
