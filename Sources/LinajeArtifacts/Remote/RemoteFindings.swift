import LinajeDomain

/// What an exchange with a remote finds wrong: the first `RemoteComparison.mostDamages` things are
/// reported one by one, the others counted, since a remote may have any number of them.
struct RemoteFindings {
    private var named = 0
    private var unnamed: Int

    /// - Parameter unnamed: how many were found that nobody names.
    init(unnamed: Int) { self.unnamed = unnamed }

    /// - Parameters:
    ///   - pack: its key.
    ///   - text: what is wrong with it.
    ///   - progress: how far the exchange is.
    mutating func add(
        _ pack: String, _ text: String, _ progress: RemoteProgress,
        _ report: (RemoteProgress) async throws -> Void
    ) async throws {
        guard named < RemoteComparison.mostDamages else {
            unnamed += 1
            return
        }
        named += 1
        try await report(Self.finding(pack, text, progress))
    }

    /// Reports how many were not named, if any.
    func finish(
        _ progress: RemoteProgress, _ report: (RemoteProgress) async throws -> Void
    ) async throws {
        guard unnamed > 0 else { return }
        let text =
            "\(unnamed) further packs are damaged and not named here; mend the store or replace it"
        try await report(Self.finding("", text, progress))
    }

    private static func finding(
        _ pack: String, _ text: String, _ progress: RemoteProgress
    ) -> RemoteProgress {
        var out = progress
        out.pack = pack
        out.finding = text
        return out
    }
}
