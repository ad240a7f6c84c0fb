import LinajeArtifacts
import LinajeCatalog
import LinajeDomain
import LinajePluginKit

/// What the catalog needs of the artifact store.
struct CatalogRoots: TreeRoots {
    let catalog: CatalogStore
    let clock: any WallClock

    func roots(after last: SHA256Digest?, limit: Int) async throws -> [TreeRoot] {
        let now = clock.now()
        return try await catalog.read { reader in
            try reader.neededContent(after: last, limit: limit, now: now)
                .map { TreeRoot(digest: $0.digest, isOurs: $0.isOurs) }
        }
    }

    func isNeeded(_ digest: SHA256Digest, _ connection: any SQLConnection) throws -> Bool {
        try CatalogReader(connection: connection).isContentNeeded(digest, now: clock.now())
    }
}
