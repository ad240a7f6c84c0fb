import Glibc
import LinajeHost

/// What this kernel offers to know the truth about owners of runs. All of it is optional: what is
/// missing makes the truth less exact, never wrong.
package struct KernelFeatures: Sendable, Hashable {
    /// A process is waited for by a descriptor (pidfd_open, Linux 5.3); else it is looked for four
    /// times a second.
    package var processDescriptors: Bool
    /// The descriptor comes from the connection itself (SO_PEERPIDFD, Linux 6.5): the right process
    /// for certain, and also one in another pid namespace.
    package var peerDescriptors: Bool
    /// The kernel tells exit code and signal of a process that is not our child (PIDFD_INFO_EXIT,
    /// Linux 6.15); else the cause of an end is often unknown.
    package var processEnds: Bool
    /// Version of the memory cgroup in which kills for lack of memory are seen; `nil`: only those
    /// that the whole machine counts.
    package var memoryCgroup: Int?
    /// Whether a restart of the machine is told from a restart of the daemon.
    package var bootID: Bool

    /// Tries each.
    package static func probe() -> KernelFeatures {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let hasPair = socketpair(AF_UNIX, kind, 0, &ends) == 0
        defer { if hasPair { for end in ends { close(end) } } }
        return KernelFeatures(
            processDescriptors: ProcessDescriptor(pid: getpid()) != nil,
            peerDescriptors: hasPair && ProcessDescriptor(peerOf: ends[0]) != nil,
            processEnds: ProcessDescriptor.kernelTellsEnds(),
            memoryCgroup: MemoryGroup.of(pid: getpid()).flatMap { group in
                group.kills().contains { $0 != nil } ? (group.mount.isVersion2 ? 2 : 1) : nil
            },
            bootID: !ProcessIdentity.boot.isEmpty)
    }

    /// One of them, for people.
    package struct Feature: Sendable {
        package var name: String
        package var isThere: Bool
        /// What is lost without it.
        package var without: String
    }

    /// Each of them.
    package var all: [Feature] {
        [
            Feature(
                name: "pidfd_open", isThere: processDescriptors,
                without: "owners of runs are looked for four times a second"),
            Feature(
                name: "SO_PEERPIDFD", isThere: peerDescriptors,
                without: "owners in another pid namespace have to send heartbeats"),
            Feature(
                name: "PIDFD_INFO_EXIT", isThere: processEnds,
                without: "exit codes and signals are known under \"linaje run --\" only"),
            Feature(
                name: "memory cgroup", isThere: memoryCgroup != nil,
                without: "kills for lack of memory are seen for the whole machine only"),
            Feature(
                name: "boot id", isThere: bootID,
                without: "a restart of the machine looks like one of the daemon"),
        ]
    }
}
