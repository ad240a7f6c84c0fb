import Glibc
package import LinajeDomain

/// Who may do what: the one place where a Unix user becomes a principal with a role.
///
/// By default root and the daemon's own user are admin, members of group `linaje` are writers and
/// everybody else is refused. A configuration adds users and groups; the highest role wins.
package struct AccessPolicy: Sendable {
    private let roleByUser: [UInt32: Role]
    private let roleByGroup: [UInt32: Role]

    /// - Parameters:
    ///   - users: user names or numbers, with their roles.
    ///   - groups: group names or numbers, with their roles.
    /// - Throws: `invalidArgument` for a user or group that the machine does not know.
    package init(users: [String: Role] = [:], groups: [String: Role] = [:]) throws {
        var byUser: [UInt32: Role] = [0: .admin]
        byUser[getuid()] = .admin
        for (name, role) in users {
            let uid = try Self.number(name, of: "user") { getpwnam($0).map { $0.pointee.pw_uid } }
            byUser[uid] = role
        }
        var byGroup: [UInt32: Role] = [:]
        if let group = getgrnam("linaje") { byGroup[group.pointee.gr_gid] = .writer }
        for (name, role) in groups {
            let gid = try Self.number(name, of: "group") { getgrnam($0).map { $0.pointee.gr_gid } }
            byGroup[gid] = role
        }
        roleByUser = byUser
        roleByGroup = byGroup
    }

    /// The principal of a peer that the kernel vouches for.
    ///
    /// - Throws: `permissionDenied` for somebody who has no role.
    package func principal(uid: UInt32, gid: UInt32, groups: [UInt32]) throws -> Principal {
        let roles = [roleByUser[uid]] + ([gid] + groups).map { roleByGroup[$0] }
        guard let role = roles.compactMap({ $0 }).max() else {
            throw LinajeError(
                .permissionDenied,
                "user \(uid) has no role here; ask an administrator to add it to group linaje or to "
                    + "[access.users] of linaje.toml")
        }
        return Principal(name: "uid:\(uid)", role: role)
    }

    private static func number(
        _ name: String, of noun: String, _ lookUp: (String) -> UInt32?
    ) throws -> UInt32 {
        guard let number = lookUp(name) ?? UInt32(name) else {
            throw LinajeError(
                .invalidArgument, "\(noun) \"\(name)\" of the access table does not exist here")
        }
        return number
    }
}
