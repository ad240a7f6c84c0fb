public import LinajeDomain
public import LinajePluginKit
import Yams

/// MLflow model directories: an `MLmodel` file at the root says which flavors can load the model.
///
/// Every flavor of the file is kept, known or not, with what it says as facts. Nothing that the
/// file names is loaded or run; it is only checked that it is there.
public struct PyFuncFlavor: ModelFlavor {
    /// Longest MLmodel file in bytes.
    static let mostFileBytes = 4 << 20
    /// Longest requirements.txt in bytes.
    static let mostRequirementsBytes = 1 << 20

    public let descriptor = PluginDescriptor(
        name: "python_function", kind: .modelFlavor, version: "1")

    public init() {}

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await source.files().contains { $0.path == "MLmodel" }
    }

    /// - Throws: `invalidArgument` or `limitExceeded` naming the file when `MLmodel` is malformed.
    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        let files = try await source.files()
        let bytes = try await source.small("MLmodel", limit: Self.mostFileBytes)
        let model = try MLmodelFile(parsing: bytes)
        var findings = model.findings
        let references = FileReferences(files)
        for flavor in model.flavors { findings += references.check(flavor) }
        findings += references.check(model.inputExample, of: "saved_input_example_info")

        var facts = model.facts
        facts["files"] = String(files.count)
        facts["size_bytes"] = String(files.reduce(UInt64(0)) { $0 &+ $1.size })
        var flavors = model.flavors.map { flavor in
            FlavorDescription(
                name: flavor.name, version: version(of: flavor, in: model), facts: flavor.facts)
        }
        if flavors.isEmpty {
            findings.append(
                Finding(severity: .warning, path: "MLmodel", message: "it names no flavor"))
            flavors = [FlavorDescription(name: "mlflow", version: model.mlflowVersion)]
        }
        // What the file says of the model as a whole goes with the flavor that every tool reads.
        let place = flavors.firstIndex { $0.name == "python_function" } ?? 0
        flavors[place].facts.merge(facts) { flavor, _ in flavor }

        let requirements = await requirements(of: source, files)
        let isDangerous = findings.contains { $0.severity == .danger }
        return ModelDescription(
            flavors: flavors, signature: model.signature, requirements: requirements.lines,
            findings: findings + requirements.findings,
            files: references.roles(of: model),
            verdict: isDangerous ? .dangerous : nil)
    }

    /// The version of the framework that wrote a flavor: what stands under `sklearn_version`,
    /// `xgb_version` or the like.
    private func version(of flavor: MLmodelFile.Flavor, in model: MLmodelFile) -> String {
        if let version = flavor.facts["\(flavor.name)_version"] { return version }
        if flavor.name == "python_function" { return model.mlflowVersion }
        let others = ["python_version", "cloudpickle_version"]
        let versions = flavor.facts.keys.filter {
            $0.hasSuffix("_version") && !$0.contains(".") && !others.contains($0)
        }
        return versions.min().flatMap { flavor.facts[$0] } ?? ""
    }

    private func requirements(
        of source: any ModelSource, _ files: [ModelSourceFile]
    ) async -> (lines: [String], findings: [Finding]) {
        let paths = Set(files.map(\.path))
        guard let path = ["requirements.txt", "conda.yaml"].first(where: paths.contains) else {
            return ([], [])
        }
        do {
            let bytes = try await source.small(path, limit: Self.mostRequirementsBytes)
            guard path == "requirements.txt" else { return (try Self.condaLines(bytes), []) }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw LinajeError(.invalidArgument, "it is not UTF-8")
            }
            let lines = text.split(whereSeparator: \.isNewline)
                .map { Self.trimmed($0) }
                .filter { !$0.isEmpty && !$0.hasPrefix("#") }
            return (lines, [])
        } catch {
            let message = (error as? LinajeError)?.message ?? "\(error)"
            return ([], [Finding(severity: .warning, path: path, message: message)])
        }
    }

    /// What pip installs into a conda environment: MLflow before 1.20 wrote no other list.
    private static func condaLines(_ bytes: [UInt8]) throws -> [String] {
        let tree = try YAMLTree(parsing: bytes, name: "conda.yaml")
        let entries = tree.root.mapping?["dependencies"]?.sequence.map(Array.init) ?? []
        return entries.flatMap { entry in
            entry.mapping?["pip"]?.sequence?.compactMap { $0.string.map { trimmed($0[...]) } } ?? []
        }
    }

    private static func trimmed(_ line: Substring) -> String {
        var line = line
        while line.last?.isWhitespace == true { line.removeLast() }
        return String(line.drop(while: \.isWhitespace))
    }
}
