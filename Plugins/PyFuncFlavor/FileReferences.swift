import LinajeDomain
import LinajePluginKit

/// Checks that the files which an MLmodel file names are in the model.
struct FileReferences {
    private let paths: Set<String>
    private let folders: Set<String>

    /// Keys of flavors whose values are paths inside the model (MLflow 3, `save_model` of each
    /// flavor).
    static let keys: Set<String> = [
        "data", "model_path", "model_data", "pickled_model", "model_binary", "code", "python_model",
        "model_code_path", "env", "env.conda", "env.virtualenv",
    ]

    init(_ files: [ModelSourceFile]) {
        paths = Set(files.map(\.path))
        var folders: Set<String> = []
        for path in paths {
            var parent = path[...]
            while let slash = parent.lastIndex(of: "/") {
                parent = parent[..<slash]
                guard folders.insert(String(parent)).inserted else { break }
            }
        }
        self.folders = folders
    }

    // MARK: Roles

    /// Files beside an MLmodel whose names say what they are for (MLflow 3, `models/model.py`,
    /// `models/utils.py`).
    private static let known: [String: ModelFileRole] = [
        "MLmodel": .config, "conda.yaml": .environment, "python_env.yaml": .environment,
        "requirements.txt": .environment, "input_example.json": .example,
        "serving_input_example.json": .example, "output_example.json": .example,
    ]
    /// Keys of flavors that name what holds the parameters.
    private static let weights = [
        "data", "model_path", "model_data", "pickled_model", "model_binary", "python_model",
    ]

    /// What the files are for, by path; what nothing names is left out.
    func roles(of model: MLmodelFile) -> [ModelFileDescription] {
        var named = Self.known
        func name(_ path: String?, _ role: ModelFileRole) {
            guard let path, !path.isEmpty, path != "null" else { return }
            let trimmed = path.hasSuffix("/") ? String(path.dropLast()) : path
            if named[trimmed] == nil { named[trimmed] = role }
        }
        name(model.inputExample, .example)
        for flavor in model.flavors {
            name(flavor.facts["code"], .code)
            for key in Self.weights { name(flavor.facts[key], .weights) }
        }
        return paths.sorted().compactMap { path in
            var place = path[...]
            while true {
                if let role = named[String(place)] {
                    return ModelFileDescription(path: path, role: role)
                }
                guard let slash = place.lastIndex(of: "/") else { return nil }
                place = place[..<slash]
            }
        }
    }

    // MARK: What is not there

    /// A finding for each file that a flavor names and that is not there.
    func check(_ flavor: MLmodelFile.Flavor) -> [Finding] {
        flavor.facts.sorted { $0.key < $1.key }.flatMap { key, value -> [Finding] in
            let isArtifact = key.hasPrefix("artifacts.") && key.hasSuffix(".path")
            guard isArtifact || Self.keys.contains(key), value != "null" else { return [] }
            // MLflow keeps the path that the code came from, and opens the file of that name in the model.
            return check(
                value, of: "flavor \(flavor.name), \(key)", isOpened: key != "model_code_path")
        }
    }

    /// A finding when `path` is not in the model; `origin` says what names it. One that leads outside is
    /// a danger: what a loader opens there, no scan has seen.
    func check(_ path: String?, of origin: String, isOpened: Bool = true) -> [Finding] {
        guard let path, !path.isEmpty, path != "." else { return [] }
        let trimmed = path.hasSuffix("/") ? String(path.dropLast()) : path
        let what: String
        var severity = Finding.Severity.warning
        if isOpened, path.hasPrefix("/") || path.split(separator: "/").contains("..") {
            severity = .danger
            what =
                "names \"\(path.prefix(200))\", which leads outside the model: loading it reads "
                + "there"
        } else if (try? TreePath(trimmed)) == nil {
            what = "names \"\(path.prefix(200))\", which is no path inside the model"
        } else if paths.contains(trimmed) || folders.contains(trimmed) {
            return []
        } else {
            what = "names \"\(path.prefix(200))\", which is not in the model"
        }
        return [Finding(severity: severity, path: "MLmodel", message: "\(origin): it \(what)")]
    }
}
