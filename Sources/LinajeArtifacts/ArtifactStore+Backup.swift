import LinajePluginKit

extension ArtifactStore {
    /// Runs `body` while no pack is removed or repaired; packs may come.
    ///
    /// Waits for a collection or a repair that is under way; the next ones wait for `body`.
    ///
    /// - Parameters:
    ///   - name: what they are told that they wait for: "a backup".
    ///   - waiting: told what this waits for.
    package func keepingPacks<Value>(
        as name: String, waiting: (String) async throws -> Void = { _ in },
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await upkeep.take(name, waiting: waiting, body)
    }

    /// The packs that the index knows, with their sizes in bytes, in no order.
    package func packs() async throws -> [PackName: UInt64] { try await index.packs() }

    /// Bytes of a pack as they stand, unchecked; shorter only at its end.
    ///
    /// - Throws: `notFound`, `storageFailed`.
    package func packBytes(_ pack: PackName, _ range: Range<UInt64>) async throws -> [UInt8] {
        try await backend.get(pack.key, range: range)
    }
}
