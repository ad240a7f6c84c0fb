import CLinux
import Glibc
import LinajeDomain

/// Who is at the other end of a Unix socket, as the kernel says, taken when it connected.
package struct PeerCredentials: Sendable, Hashable {
    /// The process, 0 when it lives in another pid namespace.
    package var pid: Int32
    package var uid: UInt32
    package var gid: UInt32
    /// Supplementary groups.
    package var groups: [UInt32]

    /// Reads the credentials of a connected socket.
    ///
    /// - Throws: `permissionDenied` when the kernel does not tell.
    package init(socket: CInt) throws {
        var peer = clinux_peer()
        guard clinux_peer_credentials(socket, &peer) == 0 else {
            throw LinajeError(
                .permissionDenied, "the kernel does not say who connected (errno \(errno))")
        }
        pid = peer.pid
        uid = peer.uid
        gid = peer.gid
        groups = Self.groups(of: socket)
    }

    package init(pid: Int32, uid: UInt32, gid: UInt32, groups: [UInt32]) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.groups = groups
    }

    private static func groups(of socket: CInt) -> [UInt32] {
        var groups = [gid_t](repeating: 0, count: 64)
        var count = clinux_peer_groups(socket, &groups, CInt(groups.count))
        if count < 0, errno == ERANGE {
            groups = [gid_t](repeating: 0, count: 65_536)
            count = clinux_peer_groups(socket, &groups, CInt(groups.count))
        }
        return count > 0 ? Array(groups.prefix(Int(count))) : []
    }
}
