import LinajeDomain
import Synchronization

/// A scorer in a flavor process: as a `ModelScorer`, but its answers take a while.
///
/// When its process has ended meanwhile it is opened again from the model's files, so those must stay
/// readable and as they were.
public final class RemoteScorer: Sendable {
    /// What a row is, and what comes out for it.
    public let layout: ScorerLayout
    /// The flavor that computes it.
    public let flavor: String

    let source: any ModelSource
    private let process: PluginProcess
    /// Which life of the process knows it, and by which number.
    let place: Mutex<(life: UInt64, number: UInt64)>

    init(
        layout: ScorerLayout, flavor: String, source: any ModelSource, process: PluginProcess,
        life: UInt64, number: UInt64
    ) {
        self.layout = layout
        self.flavor = flavor
        self.source = source
        self.process = process
        place = Mutex((life, number))
    }

    /// Scores rows, however many, in their order.
    ///
    /// - Parameter rows: Row after row, `layout.features.count` values each; NaN is a missing value.
    /// - Returns: Row after row, `layout.width` values each.
    /// - Throws: `invalidArgument` when the count is no multiple of the features or the model has no
    ///   answer for a value; `pluginFailed` when the process crashed, hung or sent nonsense.
    public func score(_ rows: [Double]) async throws -> [Double] {
        try await process.score(rows, with: self)
    }

    /// Gives it back to the process. It cannot be used afterwards.
    public func close() async throws { try await process.close(self) }
}
