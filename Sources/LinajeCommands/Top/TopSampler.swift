import LinajeClient
import LinajeDomain

/// A state of the daemon and when it was read.
struct TopSample: Sendable {
    var status: DaemonStatus
    var at: Timestamp
    var instant: ContinuousClock.Instant
}

/// Asks the daemon how it is, at an even pace.
struct TopSampler {
    let client: LinajeClient
    let interval: Duration

    func sample() async throws -> TopSample {
        let status = try await client.status()
        return TopSample(status: status, at: SystemClock().now(), instant: .now)
    }

    /// Reports one sample for each interval until the task is cancelled. Intervals that were missed
    /// while the daemon did not answer are not made up for.
    func run(_ report: (Result<TopSample, any Error>) async throws -> Void) async throws {
        var next = ContinuousClock.now
        while !Task.isCancelled {
            do {
                try await report(.success(try await sample()))
            } catch let error as LinajeError {
                try await report(.failure(error))
            }
            next = max(next + interval, .now)
            try await Task.sleep(until: next, clock: .continuous)
        }
    }
}

extension TopHistory {
    /// Adds the reading that a sample makes with the one before it.
    mutating func add(_ sample: TopSample, after earlier: TopSample?) {
        add(
            TopReading(
                sample.status, at: sample.at, after: earlier?.status,
                elapsed: earlier.map { $0.instant.duration(to: sample.instant) } ?? .zero))
    }
}
