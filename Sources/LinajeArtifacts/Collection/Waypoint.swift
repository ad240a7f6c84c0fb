/// Places between which writers and collector may come in any order; a simulation stops them there.
package enum Waypoint: Sendable, Hashable {
    case noted, located, rescued, packWritten, packEntered
    case rootsRead, marked, condemning, condemned, sweeping, swept, removing
}

/// What is done at each of them: nothing, outside simulations. What it throws ends the work there, as
/// the death of the daemon would.
package typealias WaypointObserver = @Sendable (Waypoint) async throws -> Void
