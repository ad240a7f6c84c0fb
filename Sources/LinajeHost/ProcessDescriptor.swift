import CLinux
import Glibc
package import LinajeDomain

/// A pidfd: one certain process, whoever has its number later. It is closed with the value.
package final class ProcessDescriptor: Sendable {
    package let number: Int32

    /// Takes over a descriptor that is open.
    package init(owning number: Int32) { self.number = number }

    /// A process by its number; `nil` when there is none, or where the kernel has no pidfd. Whether
    /// it is the right one, only a look at its start time afterwards can tell.
    package convenience init?(pid: Int32) {
        guard pid > 0 else { return nil }
        let descriptor = clinux_pidfd_open(pid)
        guard descriptor >= 0 else { return nil }
        self.init(owning: descriptor)
    }

    /// The process that connected a Unix socket; `nil` before Linux 6.5.
    package convenience init?(peerOf socket: Int32) {
        let descriptor = clinux_peer_pidfd(socket)
        guard descriptor >= 0 else { return nil }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        self.init(owning: descriptor)
    }

    deinit { close(number) }

    /// How the process ended, as far as the kernel tells a stranger: from Linux 6.15 on, and only
    /// once its parent has reaped it. `nil`: not known, perhaps not yet.
    package func end() -> ProcessEnd? {
        var status: Int32 = 0
        guard clinux_pidfd_exit_status(number, &status) == 1 else { return nil }
        return ProcessEnd(waitStatus: status, source: .kernel)
    }

    /// Whether this kernel tells how a stranger ended.
    package static func kernelTellsEnds() -> Bool { clinux_probe_exit_status() == 1 }
}
