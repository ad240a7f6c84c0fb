import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// A LightGBM model as text:
///
/// ```
/// tree
/// version=v4
/// objective=binary sigmoid:1
/// feature_names=a b c
/// tree_sizes=454 556
///
/// Tree=0 …
/// end of trees
///
/// feature_importances: …
/// parameters:
/// [learning_rate: 0.1]
/// end of parameters
///
/// pandas_categorical:null
/// ```
struct LightGBMText {
    /// Longest beginning, before the trees, in bytes.
    static let mostHeaderBytes = 16 << 20
    /// Longest end, after the trees, that is read in bytes.
    static let mostTailBytes: UInt64 = 4 << 20
    /// Most features and most trees.
    static let mostEntries = 1_000_000
    /// What is read of a file at first, in bytes.
    private static let firstBytes = 64 << 10

    let description: ModelDescription

    /// - Throws: `invalidArgument` naming the file.
    init(_ file: ModelSourceFile, in source: any ModelSource) async throws {
        let (header, end) = try await Self.header(of: file, in: source)
        let fields = try Self.fields(header, path: file.path)
        var findings: [Finding] = []
        let sizes =
            fields["tree_sizes"]?.split(separator: " ", maxSplits: Self.mostEntries) ?? []
        guard sizes.count <= Self.mostEntries else {
            throw LinajeError(
                .invalidArgument, "\(file.path) has more than \(Self.mostEntries) trees")
        }
        var treesEnd = UInt64(end)
        for size in sizes {
            guard let size = UInt64(size), size <= file.size - min(treesEnd, file.size) else {
                throw LinajeError(
                    .invalidArgument,
                    "\(file.path) has the tree size \(size.prefix(40)), more than the file is long")
            }
            treesEnd += size
        }
        let length = Int(min(file.size - treesEnd, Self.mostTailBytes))
        let tail = try await source.read(file.path, offset: treesEnd, length: length)
        if !sizes.isEmpty, !tail.starts(with: Array("end of trees".utf8)) {
            findings.append(
                Finding(
                    severity: .warning, path: file.path,
                    message: "its trees do not end where their sizes say; it is damaged"))
        }
        let parameters = Self.parameters(String(decoding: tail, as: UTF8.self))
        description = Self.describe(
            fields, trees: sizes.count, parameters: parameters, path: file.path, findings: findings)
    }

    /// The text before the first tree.
    private static func header(
        of file: ModelSourceFile, in source: any ModelSource
    ) async throws -> (bytes: [UInt8], end: Int) {
        let mark = Array("\n\nTree=0".utf8)
        let last = Array("\n\nend of trees".utf8)
        var bytes: [UInt8] = []
        var searched = 0
        var wanted = firstBytes
        while true {
            let count = min(wanted, Int(clamping: file.size), mostHeaderBytes) - bytes.count
            let more = try await source.read(
                file.path, offset: UInt64(bytes.count), length: max(0, count))
            bytes += more.prefix(max(0, count))
            for end in [
                find(mark, in: bytes, from: searched), find(last, in: bytes, from: searched),
            ] {
                if let end { return (Array(bytes[..<end]), end + 2) }
            }
            guard !more.isEmpty, bytes.count < min(mostHeaderBytes, Int(clamping: file.size)) else {
                throw LinajeError(
                    .invalidArgument,
                    "\(file.path) has no \"Tree=0\" in its first \(bytes.count) bytes")
            }
            searched = max(0, bytes.count - last.count)
            wanted = bytes.count * 2
        }
    }

    private static func find(_ mark: [UInt8], in bytes: [UInt8], from: Int) -> Int? {
        guard bytes.count >= mark.count, from <= bytes.count - mark.count else { return nil }
        for start in from...(bytes.count - mark.count)
        where bytes[start] == mark[0] && bytes[start...].starts(with: mark) {
            return start
        }
        return nil
    }

    private static func fields(_ bytes: [UInt8], path: String) throws -> [String: String] {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw LinajeError(.invalidArgument, "\(path) has a beginning that is not UTF-8")
        }
        var fields: [String: String] = [:]
        for line in text.split(separator: "\n", maxSplits: 10_000) {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            fields[String(parts[0])] = String(parts[1])
        }
        return fields
    }

    /// What stands between "parameters:" and "end of parameters", and the line of categories.
    private static func parameters(_ text: String) -> [String: String] {
        var found: [String: String] = [:]
        for line in text.split(separator: "\n", maxSplits: 100_000) {
            if line.hasPrefix("["), line.hasSuffix("]"), let colon = line.firstIndex(of: ":") {
                let key = line[line.index(after: line.startIndex)..<colon]
                let value = line[line.index(after: colon)...].dropLast()
                found[String(key)] = String(value.drop { $0 == " " })
            } else if line.hasPrefix("pandas_categorical:") {
                found["pandas_categorical"] = String(line.dropFirst(19))
            }
        }
        return found
    }

    /// Parameters that say how the model was trained.
    private static let factKeys = [
        "boosting", "data_sample_strategy", "learning_rate", "num_leaves", "max_depth",
        "num_iterations", "min_data_in_leaf", "feature_fraction", "bagging_fraction", "lambda_l1",
        "lambda_l2", "seed", "linear_tree",
    ]

    private static func describe(
        _ fields: [String: String], trees: Int, parameters: [String: String], path: String,
        findings: [Finding]
    ) -> ModelDescription {
        var findings = findings
        var facts: [String: String] = [:]
        for key in ["num_class", "num_tree_per_iteration", "objective", "label_index"] {
            facts[key] = fields[key]
        }
        facts["trees"] = String(trees)
        let perRound = fields["num_tree_per_iteration"].flatMap { Int($0) } ?? 1
        if perRound > 0 { facts["rounds"] = String(trees / perRound) }
        let names = (fields["feature_names"] ?? "")
            .split(separator: " ", maxSplits: mostEntries).map(String.init)
        let infos = (fields["feature_infos"] ?? "").split(separator: " ", maxSplits: mostEntries)
        facts["num_feature"] =
            fields["max_feature_idx"].flatMap { Int($0) }.flatMap { $0 < .max ? $0 + 1 : nil }
            .map { String($0) }
        facts["feature_names"] =
            names.prefix(200).joined(separator: ",")
            + (names.count > 200 ? ",… (\(names.count))" : "")
        if let said = facts["num_feature"], said != String(names.count) {
            findings.append(
                Finding(
                    severity: .warning, path: path,
                    message: "it says it has \(said) features, but names \(names.count)"))
        }
        for key in factKeys {
            if let value = parameters[key], !value.isEmpty { facts["parameter.\(key)"] = value }
        }
        if let categories = parameters["pandas_categorical"], categories != "null" {
            facts["pandas_categorical"] = categories
        }
        // A category's values stand as "-1:0:1", a number's range as "[0:1]".
        let areNumbers = infos.allSatisfy { $0.hasPrefix("[") || $0 == "none" }
        return ModelDescription(
            flavors: [
                FlavorDescription(
                    name: "lightgbm", version: fields["version"] ?? "",
                    facts: facts.filter { !$0.value.isEmpty && $0.value.utf8.count <= 8_192 })
            ],
            signature: areNumbers ? signature(names, facts) : "", findings: findings,
            files: [ModelFileDescription(path: path, role: .weights)])
    }

    private static func signature(_ names: [String], _ facts: [String: String]) -> String {
        // What LightGBM calls the columns of an array.
        let areMadeUp = names.enumerated().allSatisfy { $0.element == "Column_\($0.offset)" }
        let inputs: ModelSignature.Schema =
            areMadeUp
            ? .tensors([.init(dtype: "float64", shape: [-1, Int64(names.count)])])
            : .columns(names.map { .init(name: $0, type: "double") })
        let classes = facts["num_tree_per_iteration"].flatMap { Int64($0) } ?? 1
        let outputs = ModelSignature.Schema.tensors([
            .init(dtype: "float64", shape: classes > 1 ? [-1, classes] : [-1])
        ])
        return names.isEmpty ? "" : ModelSignature(inputs: inputs, outputs: outputs).json
    }
}
