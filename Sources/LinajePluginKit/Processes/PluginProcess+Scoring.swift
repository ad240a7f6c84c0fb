import LinajeDomain
import Synchronization

extension PluginProcess {
    /// What computes the model's predictions in this process; `nil` when none of its flavors does.
    ///
    /// - Throws: `invalidArgument` naming the file when the model is malformed; as `describe`.
    public func remoteScorer(for source: any ModelSource) async throws -> RemoteScorer? {
        let end = ContinuousClock.now + configuration.deadline
        return try await exclusively(until: end) { process in
            let session = try await process.running(until: end)
            let opened = try await process.guarding(session, until: end) {
                try await session.openScorer(source)
            }
            return opened.map { opened in
                RemoteScorer(
                    layout: opened.layout, flavor: opened.flavor, source: source,
                    process: process, life: process.life, number: opened.number)
            }
        }
    }

    func score(_ rows: [Double], with scorer: RemoteScorer) async throws -> [Double] {
        let features = scorer.layout.features.count
        guard features > 0, rows.count.isMultiple(of: features) else {
            throw LinajeError(
                .invalidArgument, "\(rows.count) values are no rows of \(features) features")
        }
        let end = ContinuousClock.now + configuration.deadline
        return try await exclusively(until: end) { process in
            let session = try await process.running(until: end)
            let number = try await process.number(of: scorer, in: session, until: end)
            return try await process.guarding(session, until: end) {
                try await session.score(rows, layout: scorer.layout, number: number)
            }
        }
    }

    func close(_ scorer: RemoteScorer) async throws {
        let end = ContinuousClock.now + configuration.deadline
        try await exclusively(until: end) { process in
            let session = try await process.running(until: end)
            let (life, number) = scorer.place.withLock { $0 }
            guard life == process.life else { return }
            try await process.guarding(session, until: end) {
                try await session.closeScorer(number)
            }
        }
    }

    /// The number of a scorer in this life of the process, where it is opened if it is not.
    private func number(
        of scorer: RemoteScorer, in session: PluginSession, until end: ContinuousClock.Instant
    ) async throws -> UInt64 {
        let (life, number) = scorer.place.withLock { $0 }
        guard life != self.life else { return number }
        let opened = try await guarding(session, until: end) {
            try await session.openScorer(scorer.source)
        }
        guard let opened, opened.layout == scorer.layout, opened.flavor == scorer.flavor else {
            throw LinajeError(
                .conflict,
                "the model's files are others than when its scorer was made; start again")
        }
        scorer.place.withLock { $0 = (self.life, opened.number) }
        return opened.number
    }
}
