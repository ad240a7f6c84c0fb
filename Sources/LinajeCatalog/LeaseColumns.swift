import LinajeDomain
import LinajePluginKit

extension Lease {
    /// The lease in six columns: kind, pid, start, timeout, boot, supervises.
    ///
    /// - Throws: `corrupt` when they hold something else.
    init(_ row: any SQLRow, from index: Int) throws {
        switch try row.text(index) {
        case "detached": self = .detached
        case "process":
            guard let pid = Int32(exactly: try row.int(index + 1)) else {
                throw LinajeError(.corrupt, "lease of a run has no process id")
            }
            self = .process(
                pid: pid, start: UInt64(bitPattern: try row.int(index + 2)),
                boot: row.isNull(index + 4) ? "" : try row.text(index + 4),
                supervises: try row.int(index + 5) != 0)
        case "heartbeat": self = .heartbeat(timeout: .microseconds(try row.int(index + 3)))
        default: throw LinajeError(.corrupt, "lease of a run is of an unknown kind")
        }
    }

    /// Kind, pid, start, timeout, boot, supervises, as `init(_:from:)` reads them.
    ///
    /// - Throws: `invalidArgument` for a timeout that is not positive or a pid that cannot be.
    func columns() throws -> [SQLValue] {
        switch self {
        case .detached: return [.text("detached"), .null, .null, .null, .null, .integer(0)]
        case .process(let pid, let start, let boot, let supervises):
            guard pid >= 0 else {
                throw LinajeError(.invalidArgument, "process id \(pid) of the lease is none")
            }
            guard boot.utf8.count <= 64 else {
                throw LinajeError(
                    .invalidArgument,
                    "boot id of the lease has \(boot.utf8.count) bytes; at most 64 are allowed")
            }
            return [
                .text("process"), .integer(Int64(pid)), .integer(Int64(bitPattern: start)), .null,
                boot.isEmpty ? .null : .text(boot), .integer(supervises ? 1 : 0),
            ]
        case .heartbeat(let timeout):
            // A year is for ever; the bound keeps the arithmetic on it in range.
            guard timeout > .zero, timeout <= .seconds(366 * 86_400) else {
                throw LinajeError(
                    .invalidArgument,
                    "heartbeat timeout of the lease is \(timeout); give more than 0 s and at most "
                        + "366 days")
            }
            return [
                .text("heartbeat"), .null, .null, .integer(timeout.wholeMicroseconds), .null,
                .integer(0),
            ]
        }
    }
}

extension Duration {
    /// The duration in microseconds, rounded down; only for durations known to be of years at most.
    var wholeMicroseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }
}
