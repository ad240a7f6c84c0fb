import LinajeDomain

/// Tells once that the daemon does not answer, and once that it does again.
struct DaemonHealth {
    private let report: FollowReport
    private var isAway = false

    init(_ report: FollowReport) { self.report = report }

    /// - Parameter failures: what went wrong in a round.
    mutating func note(_ failures: [LinajeError]) {
        let failure = failures.first(where: \.isRetryable)
        if let failure, !isAway { report.tell(.unreachable(failure.message)) }
        if failure == nil, isAway { report.tell(.reachable) }
        isAway = failure != nil
    }
}

extension LinajeError {
    /// Any error as one that crosses a boundary.
    static func of(_ error: any Error) -> LinajeError {
        switch error {
        case let error as LinajeError: error
        case is CancellationError: LinajeError(.unavailable, "the agent is ending")
        default: LinajeError(.internalError, "\(error)")
        }
    }
}
