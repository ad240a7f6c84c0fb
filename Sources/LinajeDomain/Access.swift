/// What a principal may do; each role may do what the ones before it may.
public enum Role: String, Sendable, Hashable, Comparable, CaseIterable {
    /// Looks.
    case reader
    /// Writes runs, artifacts, versions.
    case writer
    /// Moves stages and aliases of others.
    case approver
    /// Deletes, and everything else.
    case admin

    public static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

    private var rank: Int { Role.allCases.firstIndex(of: self) ?? 0 }
}

/// Somebody the daemon knows, and the door they came through.
public struct Principal: Sendable, Hashable {
    /// "uid:1000".
    public var name: String
    public var role: Role
    /// "socket", "gateway", …: the ledger records it beside the name.
    public var door: String

    public init(name: String, role: Role, door: String = "socket") {
        self.name = name
        self.role = role
        self.door = door
    }

    /// - Throws: `permissionDenied`, naming what was to be done, unless the principal has at least `role`.
    package func require(_ role: Role, for what: String) throws {
        guard self.role >= role else {
            throw LinajeError(
                .permissionDenied,
                "\(what) needs role \(role.rawValue); \(name) is \(self.role.rawValue)",
                details: ["required_role": role.rawValue])
        }
    }
}
