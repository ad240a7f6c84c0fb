import LinajeClient
import LinajeDomain

/// One of two models that are compared, with all that is known of it.
struct ModelSide: Sendable {
    /// How it is named: "models:/iris/3", "models:/m-…".
    var uri: String
    var tree: SHA256Digest?
    var model: ModelDescription
    var description = ""
    var tags: [Tag] = []
    /// Those of its logged model, then those of its run.
    var params: [Param] = []
    /// Its files, by path.
    var files: [TreeEntry] = []
    /// The run that made it; `nil`: not known.
    var run: Run?
    /// The last values of its run's metrics, or of those that are about it.
    var metrics: [MetricSummary] = []
    /// What its tensors hold, by name; without those whose bytes were not read.
    var contents: [String: SHA256Digest] = [:]
}

extension ModelSide {
    /// Asks the daemon for everything about what a models:/ URI points at now.
    init(_ uri: ModelURI, _ client: LinajeClient) async throws {
        var runID: RunID?
        var logged: LoggedModel?
        switch try await client.resolve(uri, toLook: true) {
        case .version(let version):
            self.init(uri: version.uri, tree: version.tree, model: version.model)
            (description, tags) = (version.description, version.tags)
            runID = version.runID
            if let id = version.loggedModelID {
                logged = try await Self.found { try await client.loggedModel(id) }
            }
        case .loggedModel(let model):
            self.init(uri: "models:/\(model.id)", tree: model.tree, model: model.model)
            tags = model.tags
            runID = model.runID
            logged = model
        }
        if let tree {
            let entries = try await client.all { page in
                try await client.artifacts(of: .tree(tree), recursive: true, page: page).entries
            }
            files = entries.compactMap(TreeEntry.init)
        }
        if let runID { run = try await Self.found { try await client.run(runID) } }
        let own = logged?.params ?? []
        let keys = Set(own.map(\.key))
        params = own + (run?.params ?? []).filter { !keys.contains($0.key) }
        if let run {
            // Values that are about another model of the same run say nothing of this one.
            metrics = try await client.summaries(of: run.id)
                .filter { $0.series.modelID == nil || $0.series.modelID == logged?.id }
        }
    }

    /// `nil` for what was deleted meanwhile.
    private static func found<Value: Sendable>(
        _ look: () async throws -> Value
    ) async throws -> Value? {
        do {
            return try await look()
        } catch let error as LinajeError where error.code == .notFound {
            return nil
        }
    }
}

extension TreeEntry {
    /// `nil` for a folder.
    fileprivate init?(_ entry: ArtifactEntry) {
        guard let digest = entry.sha256 else { return nil }
        let mode: FileMode? =
            switch entry.kind {
            case .file: .file
            case .executable: .executable
            case .link: .link
            case .folder: nil
            }
        guard let mode else { return nil }
        self.init(path: entry.path, mode: mode, size: entry.size.bytes, sha256: digest)
    }
}
