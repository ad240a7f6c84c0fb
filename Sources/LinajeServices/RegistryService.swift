import LinajeArtifacts
package import LinajeCatalog
package import LinajeDomain

/// The registry: models, versions, stages, aliases.
package struct RegistryService: Sendable {
    let catalog: CatalogStore
    let artifacts: ArtifactService
    let inspection: ModelInspection

    package func createModel(
        name: String, description: String, tags: [Tag], _ change: Change<RegisteredModel>
    ) async throws -> RegisteredModel {
        try await catalog.change(change) {
            try $0.createRegisteredModel(name: name, description: description, tags: tags)
        }
    }

    /// - Throws: `notFound`.
    package func model(_ name: String) async throws -> RegisteredModel {
        try await catalog.read { try $0.registeredModel(name) }
    }

    package func models(
        _ query: RegisteredModelQuery, _ wish: SearchWish
    ) async throws -> Paged<RegisteredModel> {
        try await catalog.search(query, wish)
    }

    package func updateModel(
        _ name: String, newName: String?, description: String?, tags: TagChanges,
        _ change: Change<RegisteredModel>
    ) async throws -> RegisteredModel {
        try await catalog.change(change) {
            try $0.updateRegisteredModel(
                name, newName: newName, description: description, tags: tags)
        }
    }

    package func deleteModel(_ name: String, _ change: Change<Void>) async throws {
        try await catalog.change(change) { try $0.deleteRegisteredModel(name) }
    }

    /// Registers the next version of a model: finds the content, checks that every byte of it is
    /// here, asks the flavors what it is, and only then takes a number.
    ///
    /// - Throws: `notFound` for a source that does not exist, `incomplete` for one that is not whole,
    ///   `failedPrecondition` for one whose verdict blocks it.
    package func register(
        _ request: VersionRequest, _ change: Change<ModelVersion>
    ) async throws -> ModelVersion {
        if let done = try await catalog.remembered(change) { return done }
        let name = try Names.registeredModel(request.name)
        if !request.createModel {
            _ = try await catalog.read { try $0.registeredModel(name) }
        }
        return try await artifacts.store.keepingUsed {
            let content = try await content(of: ContentURI(parsing: request.source))
            let new = NewVersion(
                name: name, createModel: request.createModel, tree: content.tree,
                size: content.size, source: request.source,
                runID: request.runID ?? content.runID, loggedModelID: content.loggedModelID,
                description: request.description, tags: request.tags, model: content.model)
            return try await catalog.change(change) { try $0.createModelVersion(new) }
        }
    }

    /// - Throws: `notFound`.
    package func version(_ name: String, _ version: UInt64) async throws -> ModelVersion {
        try await catalog.read { try $0.modelVersion(name, version) }
    }

    package func versions(
        _ query: ModelVersionQuery, _ wish: SearchWish
    ) async throws -> Paged<ModelVersion> {
        try await catalog.search(query, wish)
    }

    package func updateVersion(
        _ name: String, _ version: UInt64, description: String?, tags: TagChanges,
        _ change: Change<ModelVersion>
    ) async throws -> ModelVersion {
        try await catalog.change(change) {
            try $0.updateModelVersion(name, version, description: description, tags: tags)
        }
    }

    package func deleteVersion(
        _ name: String, _ version: UInt64, _ change: Change<Void>
    ) async throws {
        try await catalog.change(change) { try $0.deleteModelVersion(name, version) }
    }

    package func transition(
        _ name: String, _ version: UInt64, to stage: String, archiveExisting: Bool,
        comment: String, _ change: Change<ModelVersion>
    ) async throws -> ModelVersion {
        let stage = try Stage(parsing: stage)
        return try await catalog.change(change) {
            try $0.transitionStage(
                name, version, to: stage, archiveExisting: archiveExisting, comment: comment)
        }
    }

    /// - Parameter expected: `nil`: in any case; 0: only if the alias does not exist; else only if
    ///   it points at that version now.
    package func setAlias(
        _ alias: String, of name: String, to version: UInt64, expected: UInt64?,
        _ change: Change<Void>
    ) async throws {
        try await catalog.change(change) {
            try $0.setAlias(name, alias, version, expected: expected)
        }
    }

    package func deleteAlias(
        _ alias: String, of name: String, _ change: Change<Void>
    ) async throws {
        try await catalog.change(change) { try $0.deleteAlias(name, alias) }
    }

    /// What a models:/ URI points at now.
    ///
    /// - Parameter toLook: whether nobody is about to load it.
    /// - Throws: `notFound`; `failedPrecondition` for a version that may not be loaded.
    package func resolve(_ uri: String, toLook: Bool) async throws -> ResolvedModel {
        let uri = try ModelURI(parsing: uri)
        return try await catalog.read {
            toLook ? try $0.resolve(uri) : try $0.resolveForLoading(uri)
        }
    }

    /// Changes what verdicts block for a model.
    package func setPolicy(
        of name: String, _ changes: ScanPolicyChanges, _ change: Change<RegisteredModel>
    ) async throws -> RegisteredModel {
        try await catalog.change(change) { try $0.setScanPolicy(of: name, changes) }
    }

    /// Accepts the risk of a version, or withdraws that.
    package func acceptRisk(
        of name: String, _ version: UInt64, reason: String, withdraw: Bool,
        expected: SHA256Digest?, _ change: Change<ModelVersion>
    ) async throws -> ModelVersion {
        try await catalog.change(change) {
            withdraw
                ? try $0.withdrawAcceptance(of: name, version, reason: reason)
                : try $0.acceptRisk(of: name, version, reason: reason, expected: expected)
        }
    }

    /// What to register.
    package struct VersionRequest: Sendable {
        package var name: String
        package var createModel: Bool
        package var source: String
        package var runID: RunID?
        package var description: String
        package var tags: [Tag]

        package init(
            name: String, createModel: Bool, source: String, runID: RunID?, description: String,
            tags: [Tag]
        ) {
            self.name = name
            self.createModel = createModel
            self.source = source
            self.runID = runID
            self.description = description
            self.tags = tags
        }
    }

    private struct Content {
        var tree: SHA256Digest
        var size: UInt64
        var runID: RunID?
        var loggedModelID: LoggedModelID?
        var model: ModelDescription
    }

    private func content(of uri: ContentURI) async throws -> Content {
        switch uri {
        case .tree(let digest):
            try await artifacts.store.requireComplete(digest)
            return Content(
                tree: digest, size: try await artifacts.store.tree(digest).size,
                model: await inspection.describe(digest))
        case .run(let run, let path):
            let found = try await artifacts.resolve(uri)
            guard found.file == nil else {
                throw LinajeError(
                    .invalidArgument,
                    "\(uri) is one file; a model version is a directory: register its folder")
            }
            guard !found.tree.entries.isEmpty else {
                throw LinajeError(
                    .notFound,
                    "run \(run) has no artifacts"
                        + (path.map { " below \"\($0)\"" } ?? ""))
            }
            let stored = try await artifacts.keep(found.tree)
            return Content(
                tree: stored.digest, size: stored.size, runID: run,
                model: await inspection.describe(stored.digest))
        case .model(let model):
            return try await content(of: try await catalog.read { try $0.resolve(model) })
        }
    }

    private func content(of resolved: ResolvedModel) async throws -> Content {
        switch resolved {
        case .version(let version):
            try await artifacts.store.requireComplete(version.tree)
            return Content(
                tree: version.tree, size: version.size, runID: version.runID,
                loggedModelID: version.loggedModelID, model: version.model)
        case .loggedModel(let logged):
            guard let tree = logged.tree, logged.status == .ready else {
                throw LinajeError(
                    .incomplete,
                    "logged model \(logged.id) is \(logged.status.rawValue); its files must be here "
                        + "before it can be registered")
            }
            try await artifacts.store.requireComplete(tree)
            return Content(
                tree: tree, size: logged.size, runID: logged.runID, loggedModelID: logged.id,
                model: logged.model)
        }
    }
}
