import LinajeArtifacts
import LinajeCatalog
package import LinajeDomain

/// Takes in what comes from another daemon: runs, models and versions, with the ids they have there.
package struct ImportService: Sendable {
    let catalog: CatalogStore
    let store: ArtifactStore
    let inspection: ModelInspection

    /// Creates all of it or nothing. Their trees have been committed.
    ///
    /// - Parameter bundle: the digest of what it came in.
    /// - Throws: `incomplete` or `notFound` naming a tree that is not whole.
    package func create(
        _ objects: [ImportObject], from bundle: SHA256Digest, by principal: Principal
    ) async throws -> [ImportedObject] {
        try await store.keepingUsed {
            var objects = objects
            var trees: [SHA256Digest: (size: UInt64, files: UInt64)] = [:]
            var descriptions: [SHA256Digest: ModelDescription] = [:]
            for (index, object) in objects.enumerated() {
                guard let digest = object.tree else { continue }
                if trees[digest] == nil {
                    try await store.requireComplete(digest)
                    let tree = try await store.tree(digest)
                    trees[digest] = (tree.size, UInt64(tree.entries.count))
                }
                objects[index].content = await described(
                    object.content, of: digest, size: trees[digest]?.size ?? 0, &descriptions)
            }
            return try await catalog.change(.untracked(by: principal)) { [objects, trees] in
                try $0.importObjects(objects, bundle: bundle, trees: trees)
            }
        }
    }

    /// What the files say counts more than what a bundle says of them.
    private func described(
        _ content: ImportObject.Content, of digest: SHA256Digest, size: UInt64,
        _ known: inout [SHA256Digest: ModelDescription]
    ) async -> ImportObject.Content {
        switch content {
        case .run, .registeredModel: return content
        case .version(var version):
            version.size = size
            let found = await description(of: digest, &known)
            version.model.trust(found)
            return .version(version)
        case .loggedModel(var model):
            model.size = size
            let found = await description(of: digest, &known)
            model.model.trust(found)
            return .loggedModel(model)
        }
    }

    private func description(
        of digest: SHA256Digest, _ known: inout [SHA256Digest: ModelDescription]
    ) async -> ModelDescription {
        if let found = known[digest] { return found }
        let found = await inspection.describe(digest)
        known[digest] = found
        return found
    }
}

extension ModelDescription {
    /// Takes what was found here in the place of what a bundle says. Where no flavor knew the model,
    /// the bundle's words stay, but for its verdict: that its files are safe is never taken from it.
    fileprivate mutating func trust(_ found: ModelDescription) {
        guard found.flavors.isEmpty else {
            self = found
            return
        }
        verdict = [found.verdict, verdict == .safe ? nil : verdict].compactMap(\.self).max()
        findings += found.findings.filter { !findings.contains($0) }
    }
}
