import Crypto
import LinajeDomain
import LinajePluginKit

/// Nodes of a lineage: their ids, labels and facts. A fact that is not known is left out.
enum LineageFacts {
    static func node(_ subject: LineageWalk.Subject) -> LineageNode {
        switch subject {
        case .version(let version): node(version)
        case .loggedModel(let model): node(model)
        case .run(let run): node(run)
        }
    }

    static func id(_ version: ModelVersion) -> String {
        "models:/\(version.name)/\(version.version)"
    }

    static func node(_ version: ModelVersion) -> LineageNode {
        LineageNode(
            id: id(version), kind: .modelVersion, label: "\(version.name) \(version.version)",
            facts: known([
                "tree": "\(version.tree)", "size": "\(version.size)",
                "stage": version.stage.rawValue, "source": version.source,
                "aliases": version.aliases.joined(separator: " "),
                "flavors": version.model.flavors.map(\.name).joined(separator: " "),
                "registered_by": version.principal,
                "created_at_us": "\(version.createdAt.microseconds)",
            ]))
    }

    static func node(_ model: LoggedModel) -> LineageNode {
        LineageNode(
            id: "models:/\(model.id)", kind: .loggedModel, label: model.name,
            facts: known([
                "tree": model.tree.map { "\($0)" } ?? "", "size": "\(model.size)",
                "status": model.status.rawValue, "type": model.modelType, "step": "\(model.step)",
                "flavors": model.model.flavors.map(\.name).joined(separator: " "),
                "created_at_us": "\(model.createdAt.microseconds)",
            ]))
    }

    /// Entry point, arguments and dirtiness are facts of the run too: the node of the code is shared
    /// by all runs of a commit.
    static func node(_ run: Run) -> LineageNode {
        var facts = [
            "experiment_id": "\(run.experimentID)", "status": run.status.rawValue,
            "user": run.user, "principal": run.principal,
            "started_at_us": "\(run.startedAt.microseconds)",
            "ended_at_us": run.endedAt.map { "\($0.microseconds)" } ?? "",
            "ended_cause": run.endedCause,
            "deleted": run.lifecycle == .deleted ? "true" : "",
        ]
        // Params and metrics have names of their own: a prefix keeps them apart from the facts.
        for param in run.params { facts["param \(param.key)"] = param.value.description }
        if let provenance = run.provenance {
            facts["entry_point"] = provenance.entryPoint
            facts["argv"] = shellWords(provenance.argv)
            facts["notebook"] = provenance.notebook
            facts["container"] = provenance.container
            facts["purpose"] = provenance.purpose
            facts["dirty"] = provenance.git.map { "\($0.isDirty)" } ?? ""
            facts["diff_artifact"] = provenance.git?.diffArtifact ?? ""
        }
        return LineageNode(id: "runs:/\(run.id)", kind: .run, label: run.name, facts: known(facts))
    }

    /// "data:sha256:HEX" by the first digest; "data:NAME@DIGEST" by a client's own digest; without
    /// any, "data:NAME".
    static func node(_ dataset: DatasetInput) -> LineageNode {
        let id =
            if let digest = dataset.digests.first {
                "data:\(digest)"
            } else if dataset.clientDigest.isEmpty {
                "data:\(dataset.name)"
            } else {
                "data:\(dataset.name)@\(dataset.clientDigest)"
            }
        return LineageNode(
            id: id, kind: .dataset, label: dataset.name,
            facts: known([
                "digest": dataset.digests.map(\.description).joined(separator: " "),
                "client_digest": dataset.clientDigest, "context": dataset.context,
                "source_type": dataset.sourceType, "source": dataset.source,
                "dvc_pointer": dataset.dvcPointer,
                "size": dataset.size == 0 ? "" : "\(dataset.size)",
            ]))
    }

    /// "git:COMMIT", or `nil` without a commit.
    static func code(_ provenance: Provenance) -> LineageNode? {
        guard let git = provenance.git, !git.commit.isEmpty else { return nil }
        return LineageNode(
            id: "git:\(git.commit)", kind: .code,
            label: "\(git.commit.prefix(12))\(git.isDirty ? " with changes" : "")",
            facts: known([
                "commit": git.commit, "branch": git.branch, "remote": git.remote,
                "dirty": "\(git.isDirty)", "diff_artifact": git.diffArtifact,
                "entry_point": provenance.entryPoint, "argv": shellWords(provenance.argv),
            ]))
    }

    /// "env:HEX", or `nil` when nothing is known of the environment. HEX is the SHA-256 of
    /// ```
    /// linaje environment 1 LF
    /// LANGUAGE NUL OS NUL
    /// NAME NUL VERSION NUL          for each package, by the bytes of its name
    /// ```
    /// so that two runs have the same node exactly when language, system and packages are the same.
    /// Facts about the machine are those of the first run that is found.
    static func environment(_ provenance: Provenance) -> LineageNode? {
        let isEmpty =
            provenance.language.isEmpty && provenance.os.isEmpty && provenance.packages.isEmpty
        guard !isEmpty else { return nil }
        var text = Array("linaje environment 1\n".utf8)
        let packages = provenance.packages.sorted {
            $0.key.utf8.lexicographicallyPrecedes($1.key.utf8)
        }
        let words = [provenance.language, provenance.os] + packages.flatMap { [$0.key, $0.value] }
        for word in words {
            text += word.utf8
            text.append(0)
        }
        let label = [provenance.language, provenance.os].filter { !$0.isEmpty }
        return LineageNode(
            id: "env:\(LinajeDomain.SHA256Digest(SHA256.hash(data: text)))", kind: .environment,
            label: label.isEmpty ? "packages" : label.joined(separator: ", "),
            facts: known([
                "language": provenance.language, "os": provenance.os,
                "kernel": provenance.kernel, "cpu": provenance.cpu,
                "memory_bytes": provenance.memoryBytes == 0 ? "" : "\(provenance.memoryBytes)",
                "gpus": provenance.gpus.joined(separator: ", "), "host": provenance.host,
                "user": provenance.user, "container": provenance.container,
                "packages": "\(provenance.packages.count)",
            ]))
    }

    /// Something that was deleted since.
    static func gone(_ id: String, _ kind: LineageNode.Kind, _ label: String) -> LineageNode {
        LineageNode(id: id, kind: kind, label: label, facts: ["deleted": "true"])
    }

    /// The id in models:/m-ID.
    static func loggedModelID(in uri: String) -> LoggedModelID? {
        guard case .loggedModel(let id)? = try? ModelURI(parsing: uri) else { return nil }
        return id
    }

    private static func known(_ facts: [String: String]) -> [String: String] {
        facts.filter { !$0.value.isEmpty }
    }

    /// A command line as a shell would take it.
    private static func shellWords(_ argv: [String]) -> String {
        argv.map { word in
            let isPlain =
                !word.isEmpty
                && word.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"),
                        UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"):
                        true
                    default: "-_./=:,@%+".utf8.contains(byte)
                    }
                }
            guard !isPlain else { return word }
            let parts = word.split(separator: "'", omittingEmptySubsequences: false)
            return "'\(parts.joined(separator: "'\\''"))'"
        }.joined(separator: " ")
    }
}

extension CatalogReader {
    /// The version that a version was registered from, or `nil`.
    func sourceVersion(of version: ModelVersion) throws -> ModelVersion? {
        let id = try connection.first(
            """
            SELECT v.source_version_id
            FROM model_versions v JOIN registered_models m ON m.id = v.model_id
            WHERE m.name = ? AND v.version = ? AND v.source_version_id IS NOT NULL
            """,
            [.text(version.name), .integer(Int64(clamping: version.version))]
        ) { try $0.int(0) }
        return try id.flatMap { try modelVersion(id: $0) }
    }
}
