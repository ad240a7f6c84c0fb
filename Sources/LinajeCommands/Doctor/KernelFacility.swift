import CLinux

/// What Linaje uses of a kernel and can do without.
enum KernelFacility: String, CaseIterable, Sendable {
    case processDescriptors = "pidfd_open"
    case beneath = "openat2"
    case landlock
    case seccomp
    case memoryEvents = "cgroup_memory"
    case peerDescriptors = "SO_PEERPIDFD"
    case exitInformation = "PIDFD_INFO_EXIT"

    /// The first Linux that has it.
    var since: String {
        switch self {
        case .processDescriptors: "5.3"
        case .beneath: "5.6"
        case .landlock: "5.13"
        case .seccomp: "3.17"
        case .memoryEvents: "2.6"
        case .peerDescriptors: "6.5"
        case .exitInformation: "6.15"
        }
    }

    /// Whether Linux 6.1, the oldest that Linaje is made for, can have it.
    var isInBaseline: Bool { self != .peerDescriptors && self != .exitInformation }

    /// What is lost without it.
    var lostWithout: String {
        switch self {
        case .processDescriptors: "the end of a run's owner is noticed a moment later"
        case .beneath, .landlock, .seccomp:
            "nothing in this version; later ones confine the examining of models with it"
        case .memoryEvents: "runs killed for lack of memory show as killed by a signal"
        case .peerDescriptors: "owners of runs in containers are watched by heartbeat"
        case .exitInformation:
            "how a run's process ended is known only under \"linaje run -- COMMAND\""
        }
    }

    /// Those the kernel itself tells of; `memoryEvents` is a matter of mounts.
    static func probe() -> Set<KernelFacility> {
        let found = clinux_kernel_features()
        let bits: [(KernelFacility, UInt32)] = [
            (.processDescriptors, CLINUX_HAS_PIDFD_OPEN), (.beneath, CLINUX_HAS_OPENAT2),
            (.landlock, CLINUX_HAS_LANDLOCK), (.seccomp, CLINUX_HAS_SECCOMP),
            (.peerDescriptors, CLINUX_HAS_PEER_PIDFD), (.exitInformation, CLINUX_HAS_EXIT_INFO),
        ]
        return Set(bits.filter { found & $0.1 != 0 }.map(\.0))
    }
}
