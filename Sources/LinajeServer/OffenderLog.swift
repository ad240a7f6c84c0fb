import LinajeDomain
package import LinajeTransport
package import LinajeWire
package import Logging
import Synchronization

/// Tells the log of clients that were cut off because they kept their connections waiting: the first
/// at once, then at most one line in ten seconds with the number since the last, so that thousands
/// of offenders do not fill a disk.
package final class OffenderLog: Sendable {
    private struct State {
        /// Clients that were cut off since the last line.
        var untold = 0
        var lastLine: ContinuousClock.Instant?
    }

    private static let silence = Duration.seconds(10)

    private let logger: Logger
    private let patience: Duration
    private let state = Mutex(State())

    /// - Parameter patience: how long was waited.
    package init(logger: Logger, patience: Duration) {
        self.logger = logger
        self.patience = patience
    }

    /// A client was cut off. The one place that every such client passes.
    package func record(_ offence: ClientDebt.Offence, _ peer: PeerCredentials) {
        let now = ContinuousClock.now
        let others = state.withLock { state -> Int? in
            if let last = state.lastLine, now - last < Self.silence {
                state.untold += 1
                return nil
            }
            state.lastLine = now
            defer { state.untold = 0 }
            return state.untold
        }
        guard let others else { return }
        let more = others == 0 ? "" : "; so were \(others) others since the last such line"
        logger.warning(
            "process \(peer.pid) of user \(peer.uid) was cut off: \(reason(offence))\(more)")
    }

    private func reason(_ offence: ClientDebt.Offence) -> String {
        switch offence {
        case .noHello: "it did not say hello within \(Limits.handshakeTimeout.components.seconds) s"
        case .slowFrame: "it did not finish a frame within \(patience.components.seconds) s"
        case .unread: "it read nothing of its answers for \(patience.components.seconds) s"
        }
    }
}
