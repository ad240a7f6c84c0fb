import LinajeArtifacts
import LinajeDomain
import LinajePluginKit
import Logging

/// Asks the flavors what a stored tree is. A flavor that fails never hinders a registration: what
/// went wrong becomes a finding of the version.
struct ModelInspection: Sendable {
    let store: ArtifactStore
    let flavor: (any ModelFlavor)?
    let logger: Logger
    private let metrics = FlavorMetrics()

    init(store: ArtifactStore, flavor: (any ModelFlavor)?, logger: Logger) {
        self.store = store
        self.flavor = flavor
        self.logger = logger
    }

    func describe(_ digest: SHA256Digest) async -> ModelDescription {
        guard let flavor else { return ModelDescription() }
        let started = ContinuousClock.now
        do {
            let source = TreeSource(tree: try await store.tree(digest), store: store)
            let description = try await flavor.describe(source)
            metrics.ended(true, since: started)
            return description
        } catch {
            metrics.ended(false, since: started)
            logger.warning("cannot describe tree \(digest): \(error)")
            let reason = (error as? LinajeError)?.message ?? "\(error)"
            return ModelDescription(
                findings: [
                    Finding(severity: .warning, message: "model was not examined: \(reason)")
                ], verdict: .unknown)
        }
    }
}

/// A stored tree as the files of a model; every byte that is read is verified.
private struct TreeSource: ModelSource {
    let tree: Tree
    let store: ArtifactStore

    func files() async throws -> [ModelSourceFile] {
        tree.entries.filter { $0.mode != .link }
            .map { ModelSourceFile(path: $0.path.text, size: $0.size) }
    }

    func read(_ path: String, offset: UInt64, length: Int) async throws -> [UInt8] {
        guard let entry = tree.entry(at: try TreePath(path)) else {
            throw LinajeError(.notFound, "model has no file \"\(path)\"")
        }
        guard offset < entry.size, length > 0 else { return [] }
        let end = min(entry.size, offset + UInt64(length))
        var out: [UInt8] = []
        for try await piece in try await store.read(entry.sha256, range: offset..<end) {
            out += piece
        }
        return out
    }
}
