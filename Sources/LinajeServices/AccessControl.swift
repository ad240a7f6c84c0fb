package import LinajeDomain
import Synchronization

/// The access policy in force. It may be replaced while the daemon runs: new connections get the
/// new one, and so does the next call of an open connection. Streams that are open go on.
package final class AccessControl: Sendable {
    private let policy: Mutex<AccessPolicy>
    private let replacements = Atomic<UInt64>(0)

    package init(_ policy: AccessPolicy) { self.policy = Mutex(policy) }

    /// How often the policy was replaced: what was found out under an earlier number must be found
    /// out again.
    package var generation: UInt64 { replacements.load(ordering: .acquiring) }

    /// The principal of a peer that the kernel vouches for.
    ///
    /// - Throws: `permissionDenied` for somebody who has no role.
    package func principal(uid: UInt32, gid: UInt32, groups: [UInt32]) throws -> Principal {
        try policy.withLock { $0 }.principal(uid: uid, gid: gid, groups: groups)
    }

    /// Puts another policy in force.
    package func replace(_ new: AccessPolicy) {
        policy.withLock { $0 = new }
        replacements.add(1, ordering: .releasing)
    }
}
