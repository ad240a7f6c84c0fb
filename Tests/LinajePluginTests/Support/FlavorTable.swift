import Foundation
import LinajeDomain
import Testing

/// What the flavors say of models of the real libraries, as a table for people:
/// `docs/flavors.md`. `LINAJE_WRITE_FLAVORS=1` writes it anew.
///
/// Nothing in it depends on the release of a library.
struct FlavorTable {
    private static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("docs/flavors.md").path

    /// Facts that the table shows, of whatever flavor has them.
    private static let facts = [
        "architecture", "architectures", "adapter", "base_model", "booster", "class",
        "context_length", "dtypes", "format", "layers", "loader_module", "objective",
        "quantization", "signatures", "tags", "trees",
    ]

    private var rows: [String] = []

    /// Adds a model.
    mutating func add(_ name: String, _ model: ModelDescription) {
        let flavors = model.flavors.map(\.name).joined(separator: ", ")
        var facts: [String] = []
        for flavor in model.flavors {
            for key in Self.facts {
                if let value = flavor.facts[key] { facts.append("\(key) \(value.prefix(60))") }
            }
        }
        let roles = Dictionary(grouping: model.files, by: \.role.rawValue)
            .map { "\($0.value.count) \($0.key)" }.sorted().joined(separator: ", ")
        var size: [String] = []
        if !model.tensors.isEmpty { size.append("\(model.tensors.count) tensors") }
        if model.parameters > 0 { size.append("\(model.parameters) parameters") }
        let findings = model.findings.map { "\($0.severity.rawValue): \($0.message)" }
        let cells = [
            name, flavors, facts.joined(separator: "; "), roles, size.joined(separator: ", "),
            Self.shown(model.signature), model.license, model.verdict?.rawValue ?? "",
            findings.joined(separator: "; "),
        ]
        rows.append(
            "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |")
    }

    /// Compares with the file, or writes it.
    func compare() throws {
        let text = Self.head + rows.joined(separator: "\n") + "\n"
        if ProcessInfo.processInfo.environment["LINAJE_WRITE_FLAVORS"] != nil {
            try text.write(toFile: Self.path, atomically: true, encoding: .utf8)
        }
        let committed = (try? String(contentsOfFile: Self.path, encoding: .utf8)) ?? ""
        let known = Set(committed.split(separator: "\n"))
        for line in text.split(separator: "\n") {
            #expect(known.contains(line), "docs/flavors.md lacks: \(line)")
        }
        #expect(committed == text, "run the test with LINAJE_WRITE_FLAVORS=1")
    }

    /// Inputs and outputs in few words.
    private static func shown(_ signature: String) -> String {
        guard let json = try? JSONSerialization.jsonObject(with: Data(signature.utf8)),
            let parts = json as? [String: Any]
        else { return "" }
        func list(_ key: String) -> String {
            let specs = parts[key] as? [[String: Any]] ?? []
            let shown = specs.map { spec in
                let name = spec["name"] as? String ?? ""
                guard let tensor = spec["tensor-spec"] as? [String: Any] else {
                    return "\(name) \(spec["type"] ?? "")"
                }
                let shape = (tensor["shape"] as? [Int] ?? []).map(String.init)
                return "\(name) \(tensor["dtype"] ?? "")[\(shape.joined(separator: ","))]"
            }
            return shown.map { $0.drop { $0 == " " } }.joined(separator: ", ")
        }
        let outputs = list("outputs")
        return list("inputs") + " → " + (outputs.isEmpty ? "?" : outputs)
    }

    private static let head = """
        # Flavors

        What `linaje-flavor-host` says of models that the real libraries wrote. A test makes the models, holds what is said
        against what the libraries say, and compares this table (`LINAJE_WRITE_FLAVORS=1` writes it anew). The models of
        CatBoost, Keras and TensorFlow are files that `Tests/LinajePluginTests/Fixtures/make_foreign_models.py` wrote; those
        of transformers and PEFT are written by hand as the libraries write them.

        A model that declares no requirements, in requirements.txt or conda.yaml, has the libraries of its flavors for them, in
        the version that wrote it where its files say that one.

        | model | flavors | facts | files | size | signature | licence | verdict | findings |
        |---|---|---|---|---|---|---|---|---|

        """
}
