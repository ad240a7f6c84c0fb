import LinajeDomain
import LinajePluginKit

/// Removes packs that the index has let go.
struct PackRemoval {
    private static let packsPerPage = 256

    let store: ArtifactStore

    /// Removes all that are on the list; one that was written again meanwhile stays.
    func run() async throws {
        while true {
            let page = try await store.index.removals(limit: Self.packsPerPage)
            for pack in page {
                try await store.observer?(.removing)
                // Nobody writes a pack of that name and enters it in between.
                try await store.locks.hold(pack) {
                    if try await !store.index.isEntered(pack) {
                        try await store.backend.remove(pack.key)
                    }
                    try await store.index.endRemoval(pack)
                }
            }
            guard page.count == Self.packsPerPage else { return }
        }
    }
}
