package import LinajeDomain
import LinajePluginKit

/// Tags by which an imported thing says where it came from.
enum ImportTags {
    static let prefix = "linaje.import."
    /// The digest of the bundle.
    static let bundle = prefix + "bundle"
    /// Of a run: the digest of the points that it is to have.
    static let points = prefix + "points"
    /// Who made it there.
    static let principal = prefix + "principal"
    /// Of a run: its parent, where that is not here.
    static let parent = prefix + "parent"
    /// Of a version: what it was called there, its stage and its aliases.
    static let version = prefix + "version"
    static let stage = prefix + "stage"
    static let aliases = prefix + "aliases"
}

extension CatalogTransaction {
    /// Highest number that a version may bring along: what follows must have room.
    private static let highestVersion: UInt64 = 1_000_000_000

    /// Creates what comes from another daemon. Trees are there and whole.
    ///
    /// Whatever refers to something comes after it, but for models that runs refer to.
    ///
    /// - Parameter trees: the trees, with the bytes and the number of their files.
    /// - Returns: what became of each, in order.
    /// - Throws: what creating it by hand would throw; then nothing was created.
    package func importObjects(
        _ objects: [ImportObject], bundle: SHA256Digest,
        trees: [SHA256Digest: (size: UInt64, files: UInt64)]
    ) throws -> [ImportedObject] {
        var out: [ImportedObject] = []
        for object in objects {
            switch object.content {
            case .run(let run, let digest, let points):
                let tree = digest.flatMap { digest in
                    trees[digest].map { (digest: digest, size: $0.size, files: $0.files) }
                }
                out.append(
                    try importRun(
                        run, in: object.experiment, tree: tree, points: points, bundle: bundle))
            case .loggedModel(let model):
                out.append(try importModel(model, in: object.experiment, bundle: bundle))
            case .registeredModel(let model):
                out.append(try importModel(model))
            case .version(let version):
                out.append(try importVersion(version, bundle: bundle))
            }
        }
        // Links are looked up when they are made, and may name models that came after their run.
        for (object, outcome) in zip(objects, out) where outcome.outcome == .created {
            guard case .run(let run, _, _) = object.content else { continue }
            try add(run.modelInputs, to: run.id, .input)
            try add(run.modelOutputs, to: run.id, .output)
        }
        return out
    }

    // MARK: Runs

    private func importRun(
        _ run: Run, in experiment: String,
        tree: (digest: SHA256Digest, size: UInt64, files: UInt64)?, points: SHA256Digest?,
        bundle: SHA256Digest
    ) throws -> ImportedObject {
        let name = "run \(run.id)"
        guard run.status.isTerminal else {
            throw LinajeError(
                .invalidArgument,
                "\(name) of the bundle is \(run.status.rawValue); only runs that have ended move")
        }
        if let known = try runIfThere(run.id) {
            let mark = known.tags.first { $0.key == ImportTags.points }?.value
            return ImportedObject(
                name: name, outcome: known.isSame(as: run) ? .known : .different,
                takesPoints: points != nil && mark == points?.description)
        }
        let experimentID = try experimentID(named: experiment)
        var tags = run.tags.filter { !$0.key.hasPrefix(ImportTags.prefix) }
        tags.append(Tag(key: ImportTags.bundle, value: "\(bundle)"))
        if !run.principal.isEmpty {
            tags.append(Tag(key: ImportTags.principal, value: run.principal))
        }
        if let points { tags.append(Tag(key: ImportTags.points, value: "\(points)")) }
        var parent = run.parentID
        if let id = parent, try runIfThere(id) == nil {
            tags.append(Tag(key: ImportTags.parent, value: "\(id)"))
            parent = nil
        }
        _ = try createRun(
            NewRun(
                id: run.id, experimentID: experimentID, name: run.name, user: run.user,
                parentID: parent, startedAt: run.startedAt, tags: tags, params: run.params,
                provenance: run.provenance))
        try add(run.datasets, to: run.id)
        if let tree {
            try mountTree(
                run.id, path: nil, tree: tree.digest, size: tree.size, files: tree.files)
        }
        try set(
            run.status, of: run.id,
            RunEnd(
                at: run.endedAt, cause: try Names.text(run.endedCause, of: "cause"),
                process: try run.processEnd?.checked()))
        return ImportedObject(name: name, outcome: .created, takesPoints: points != nil)
    }

    private func experimentID(named name: String) throws -> ExperimentID {
        try createExperiment(name: name, getExisting: true).id
    }

    // MARK: Models

    private func importModel(
        _ model: LoggedModel, in experiment: String, bundle: SHA256Digest
    ) throws -> ImportedObject {
        let name = "models:/\(model.id)"
        guard let tree = model.tree, model.status == .ready else {
            throw LinajeError(
                .invalidArgument, "\(name) of the bundle is \(model.status.rawValue), not READY")
        }
        if let known = try reader.loggedModelIfThere(model.id) {
            let isSame = known.tree == tree && known.name.utf8.elementsEqual(model.name.utf8)
            return ImportedObject(name: name, outcome: isSame ? .known : .different)
        }
        // A run that was here before may be in another experiment than there.
        let run = try model.runID.flatMap { try runIfThere($0) }
        _ = try createLoggedModel(
            NewLoggedModel(
                id: model.id,
                experimentID: try run?.experimentID ?? experimentID(named: experiment),
                runID: run?.id, name: model.name, modelType: model.modelType,
                tags: model.tags.filter { !$0.key.hasPrefix(ImportTags.prefix) }
                    + [Tag(key: ImportTags.bundle, value: "\(bundle)")],
                params: model.params, tree: tree, size: model.size, model: model.model,
                step: model.step))
        return ImportedObject(name: name, outcome: .created)
    }

    private func importModel(_ model: RegisteredModel) throws -> ImportedObject {
        let name = "models:/\(model.name)"
        guard try reader.modelIDIfThere(model.name) == nil else {
            return ImportedObject(name: name, outcome: .known)
        }
        try insertModel(model.name, description: model.description, tags: model.tags)
        return ImportedObject(name: name, outcome: .created)
    }

    /// A version keeps its number where that is free; it never takes one that was used.
    private func importVersion(
        _ version: ModelVersion, bundle: SHA256Digest
    ) throws -> ImportedObject {
        guard (1...Self.highestVersion).contains(version.version) else {
            throw LinajeError(
                .invalidArgument,
                "version \(version.version) of model \"\(version.name)\" is out of bounds")
        }
        let model =
            try reader.modelIDIfThere(version.name) ?? insertModel(version.name)
        let source = "\(version.name)/\(version.version)"
        if let known = try versionIfThere(model, version, mark: source) {
            return ImportedObject(name: "models:/\(version.name)/\(known)", outcome: .known)
        }
        // Forwards only: a number that was deleted is not used again.
        try connection.execute(
            "UPDATE registered_models SET next_version = ? WHERE id = ? AND next_version < ?",
            [
                .integer(Int64(version.version)), .integer(model),
                .integer(Int64(version.version)),
            ])
        var tags = version.tags.filter { !$0.key.hasPrefix(ImportTags.prefix) }
        tags.append(Tag(key: ImportTags.bundle, value: "\(bundle)"))
        tags.append(Tag(key: ImportTags.version, value: source))
        if !version.principal.isEmpty {
            tags.append(Tag(key: ImportTags.principal, value: version.principal))
        }
        if version.stage != .none {
            tags.append(Tag(key: ImportTags.stage, value: version.stage.rawValue))
        }
        if !version.aliases.isEmpty {
            tags.append(
                Tag(key: ImportTags.aliases, value: version.aliases.joined(separator: " ")))
        }
        let logged = try version.loggedModelID.flatMap { try reader.loggedModelIfThere($0) }
        let made = try createModelVersion(
            NewVersion(
                name: version.name, tree: version.tree, size: version.size,
                source: version.source,
                runID: try version.runID.flatMap { try runIfThere($0)?.id },
                loggedModelID: logged?.tree == version.tree ? logged?.id : nil,
                description: version.description, tags: tags, model: version.model))
        return ImportedObject(
            name: "models:/\(made.name)/\(made.version)",
            outcome: made.version == version.version ? .created : .renumbered)
    }

    /// The number under which a version is here already: its own, or one that it was given by an
    /// earlier import.
    private func versionIfThere(
        _ model: Int64, _ version: ModelVersion, mark: String
    ) throws -> UInt64? {
        let own = try connection.first(
            "SELECT version FROM model_versions WHERE model_id = ? AND version = ? AND tree = ?",
            [.integer(model), .integer(Int64(version.version)), .digest(version.tree)]
        ) { try $0.count(0) }
        if let own { return own }
        return try connection.first(
            """
            SELECT v.version FROM model_versions v
            JOIN model_version_tags t ON t.version_id = v.id AND t.key = ? AND t.value = ?
            WHERE v.model_id = ? AND v.tree = ? ORDER BY v.version LIMIT 1
            """,
            [.text(ImportTags.version), .text(mark), .integer(model), .digest(version.tree)]
        ) { try $0.count(0) }
    }
}

extension Run {
    /// Whether another description of the same run says the same of what it did.
    fileprivate func isSame(as other: Run) -> Bool {
        func sorted(_ params: [Param]) -> [Param] { params.sorted { $0.key < $1.key } }
        return status == other.status && startedAt == other.startedAt && endedAt == other.endedAt
            && sorted(params) == sorted(other.params)
            && Set(datasets) == Set(other.datasets)
    }
}
