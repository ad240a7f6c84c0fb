/// Keeps reading down to a rate.
struct ReadPace {
    private let bytesPerSecond: Int?
    private let began = ContinuousClock.now
    private var bytes: UInt64 = 0

    /// - Parameter bytesPerSecond: `nil`: as fast as it goes.
    init(bytesPerSecond: Int?) { self.bytesPerSecond = bytesPerSecond }

    /// Waits until so many more bytes may have been read.
    mutating func read(_ count: UInt64) async throws {
        try Task.checkCancellation()
        guard let bytesPerSecond, bytesPerSecond > 0 else { return }
        bytes += count
        let due = began + .seconds(Double(bytes) / Double(bytesPerSecond))
        if due > .now { try await Task.sleep(until: due, clock: .continuous) }
    }
}
