import LinajeDomain
import Synchronization

/// Counts connections, in all and by user, and refuses those past the bounds (`Limits`).
final class ConnectionSeats: Sendable {
    private let taken = Mutex<[UInt32: Int]>([:])

    /// A connection's place; free again when it is released.
    final class Seat: Sendable {
        private let seats: ConnectionSeats
        private let user: UInt32

        fileprivate init(_ seats: ConnectionSeats, user: UInt32) {
            self.seats = seats
            self.user = user
        }

        deinit { seats.leave(user) }
    }

    /// A seat for a connection of `user`, or `nil` when there is none.
    func take(user: UInt32) -> Seat? {
        let isTaken = taken.withLock { taken in
            guard taken.values.reduce(0, +) < Limits.connections,
                taken[user, default: 0] < Limits.connectionsPerUser
            else { return false }
            taken[user, default: 0] += 1
            return true
        }
        return isTaken ? Seat(self, user: user) : nil
    }

    private func leave(_ user: UInt32) {
        taken.withLock { taken in
            let rest = taken[user, default: 1] - 1
            taken[user] = rest == 0 ? nil : rest
        }
    }
}
