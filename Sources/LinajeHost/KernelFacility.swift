import CLinux
import Glibc

/// What Linaje uses of a kernel and can do without: what is missing makes it know less, never wrong
/// things.
package enum KernelFacility: String, CaseIterable, Sendable {
    /// A process is waited for by a descriptor; else it is looked for four times a second.
    case processDescriptors = "pidfd_open"
    case beneath = "openat2"
    case landlock
    case seccomp
    /// Kills for lack of memory are seen in the memory cgroup; else only those that the whole machine
    /// counts.
    case memoryEvents = "cgroup_memory"
    /// The descriptor of a process comes from its connection: the right process for certain, and
    /// also one in another pid namespace.
    case peerDescriptors = "SO_PEERPIDFD"
    /// The kernel tells exit code and signal of a process that is not our child.
    case exitInformation = "PIDFD_INFO_EXIT"
    /// A restart of the machine is told from one of the daemon.
    case bootID = "boot_id"

    /// Those by which the owners of runs are watched.
    package static let ofOwners: [KernelFacility] = [
        .processDescriptors, .peerDescriptors, .exitInformation, .memoryEvents, .bootID,
    ]

    /// The first Linux that has it.
    package var since: String {
        switch self {
        case .processDescriptors: "5.3"
        case .beneath: "5.6"
        case .landlock: "5.13"
        case .seccomp: "3.17"
        case .memoryEvents, .bootID: "2.6"
        case .peerDescriptors: "6.5"
        case .exitInformation: "6.15"
        }
    }

    /// Whether Linux 6.1, the oldest that Linaje is made for, can have it.
    package var isInBaseline: Bool { self != .peerDescriptors && self != .exitInformation }

    /// What is lost without it.
    package var lostWithout: String {
        switch self {
        case .processDescriptors: "the end of a run's owner is noticed a moment later"
        case .beneath: "linaje artifact get looks at each folder of a path by itself"
        case .landlock: "what examines models may read the files that the daemon may read"
        case .seccomp: "models are not examined"
        case .memoryEvents: "runs killed for lack of memory show as killed by a signal"
        case .peerDescriptors: "owners of runs in containers are watched by heartbeat"
        case .exitInformation:
            "how a run's process ended is known only under \"linaje run -- COMMAND\""
        case .bootID: "a restart of the machine looks like one of the daemon"
        }
    }

    /// Tries each for this process.
    package static func probe() -> Set<KernelFacility> {
        let found = clinux_kernel_features()
        let bits: [(KernelFacility, UInt32)] = [
            (.processDescriptors, CLINUX_HAS_PIDFD_OPEN), (.beneath, CLINUX_HAS_OPENAT2),
            (.landlock, CLINUX_HAS_LANDLOCK), (.seccomp, CLINUX_HAS_SECCOMP),
            (.peerDescriptors, CLINUX_HAS_PEER_PIDFD), (.exitInformation, CLINUX_HAS_EXIT_INFO),
        ]
        var present = Set(bits.filter { found & $0.1 != 0 }.map(\.0))
        if MemoryGroup.of(pid: getpid())?.kills().contains(where: { $0 != nil }) ?? false {
            present.insert(.memoryEvents)
        }
        if !ProcessIdentity.boot.isEmpty { present.insert(.bootID) }
        return present
    }
}
