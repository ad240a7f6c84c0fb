import LinajeDomain
import LinajeModelFiles
import LinajeScoring

/// A LightGBM model as it is read for its scorer (lightgbm-org/LightGBM,
/// `src/boosting/gbdt_model_text.cpp`).
struct LightGBMModel {
    /// Longest model in bytes.
    static let mostBytes: UInt64 = 128 << 20

    /// Most trees.
    static let mostTrees = 1_000_000
    /// Longest objective in bytes.
    private static let mostObjectiveBytes = 4_096
    /// What is read of the beginning.
    private static let keys: Set<String> = [
        "average_output", "feature_names", "max_feature_idx", "num_class",
        "num_tree_per_iteration", "objective",
    ]

    private let header: [String: ArraySlice<UInt8>]
    private let trees: [LightGBMTree]
    /// Whether columns of texts were numbered by pandas, which the model's numbers rely on.
    private let hasTextCategories: Bool
    private let path: String

    /// - Throws: `invalidArgument` when the trees do not end, `limitExceeded` when they are too many.
    init(_ bytes: [UInt8], path: String, mostTrees: Int = Self.mostTrees) throws {
        self.path = path
        var header: [String: ArraySlice<UInt8>] = [:]
        var trees: [LightGBMTree] = []
        var lines: [String: ArraySlice<UInt8>]?
        var hasEnd = false
        var categories = ""
        let mark = Array("pandas_categorical:".utf8)
        for line in BytePieces(bytes[...], by: UInt8(ascii: "\n")) {
            let line = line.last == 0x0d ? line.dropLast() : line
            if hasEnd {
                guard line.starts(with: mark) else { continue }
                categories = String(decoding: line.dropFirst(mark.count), as: UTF8.self)
                continue
            }
            if line.elementsEqual("end of trees".utf8) {
                hasEnd = true
                continue
            }
            let end = line.firstIndex(of: UInt8(ascii: "=")) ?? line.endIndex
            guard end - line.startIndex <= 64 else { continue }
            let key = String(decoding: line[..<end], as: UTF8.self)
            let value = end == line.endIndex ? line[end...] : line[(end + 1)...]
            if key == "Tree" {
                if let lines { trees.append(LightGBMTree(lines, path: path)) }
                guard trees.count < mostTrees else {
                    throw LinajeError(.limitExceeded, "\(path) has more than \(mostTrees) trees")
                }
                lines = [:]
            } else if lines != nil {
                if LightGBMTree.keys.contains(key) { lines?[key] = value }
            } else if Self.keys.contains(key) {
                header[key] = value
            }
        }
        if let lines { trees.append(LightGBMTree(lines, path: path)) }
        guard hasEnd else {
            throw LinajeError(.invalidArgument, "\(path) has no \"end of trees\"; it is damaged")
        }
        self.header = header
        self.trees = trees
        hasTextCategories = !["", "null", "[]"].contains(categories.filter { $0 != " " })
    }

    /// - Returns: `nil` when the library is needed.
    /// - Throws: `invalidArgument` when the model is damaged, `limitExceeded` when it is too large.
    func scorer() throws -> LightGBMScorer? {
        guard let last = integer("max_feature_idx"), let classes = integer("num_class"),
            let outputs = integer("num_tree_per_iteration"), last >= 0, last < Int(Int32.max),
            outputs > 0
        else {
            throw LinajeError(
                .invalidArgument,
                "\(path) has no right max_feature_idx, num_class or num_tree_per_iteration")
        }
        guard trees.count.isMultiple(of: outputs) else {
            throw LinajeError(
                .invalidArgument,
                "\(path) has \(trees.count) trees, no multiple of the \(outputs) of a round")
        }
        guard !hasTextCategories, !trees.contains(where: \.isLinear),
            outputs <= TreeEnsembleBuilder<Double>.mostOutputs,
            last < TreeEnsembleBuilder<Double>.mostFeatures,
            header["objective"]?.count ?? 0 <= Self.mostObjectiveBytes,
            let link = Self.link(text("objective"), classes: classes, outputs: outputs)
        else { return nil }
        let features = last + 1
        let pieces = BytePieces(header["feature_names"] ?? [], by: UInt8(ascii: " "))
        let named = pieces.reduce(0) { count, _ in count + 1 }
        guard named == features else {
            throw LinajeError(
                .invalidArgument, "\(path) names \(named) of its \(features) features")
        }
        let names = pieces.map { String(decoding: $0, as: UTF8.self) }
        // LightGBM takes what is this near to zero for zero (`kZeroThreshold`).
        var builder = try TreeEnsembleBuilder<Double>(
            name: path, features: features, base: [Double](repeating: 0, count: outputs),
            zeroDistance: Double(Float(1e-35)))
        for (index, tree) in trees.enumerated() {
            try tree.add(to: &builder, target: index % outputs)
        }
        let isNamed = names.enumerated().contains { $0.element != "Column_\($0.offset)" }
        let rounds = trees.count / outputs
        return LightGBMScorer(
            ensemble: builder.finish(), outputs: outputs, link: link,
            divisor: header["average_output"] != nil && rounds > 0 ? Double(rounds) : 1,
            features: names, hasNames: isNamed)
    }

    private func text(_ key: String) -> String? {
        header[key].map { String(decoding: $0, as: UTF8.self) }
    }

    private func integer(_ key: String) -> Int? { text(key).flatMap { Int($0) } }

    // MARK: Objectives

    private static let identities: Set<String> = [
        "regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank",
        "rank_xendcg", "custom",
    ]
    private static let exponentials: Set<String> = ["poisson", "gamma", "tweedie"]

    /// The link of an objective as the model has it, "binary sigmoid:1" (`src/objective`); `nil`
    /// for one that is not known. A model of a custom objective has none.
    private static func link(_ text: String?, classes: Int, outputs: Int) -> LinkFunction? {
        guard let text else { return .identity }
        let words = text.split(separator: " ").map { String($0) }
        guard let name = words.first else { return .identity }
        let sigmoid = words.first { $0.hasPrefix("sigmoid:") }.map { Double($0.dropFirst(8)) }
        let hasRoot = words.contains("sqrt")
        switch name {
        case "regression" where hasRoot: return .signedSquare
        case _ where hasRoot: return nil
        case _ where identities.contains(name): return .identity
        case _ where exponentials.contains(name): return .exponential
        case "binary", "multiclassova":
            guard let scale = sigmoid ?? nil, scale > 0 else { return nil }
            return .sigmoid(scale: scale)
        case "multiclass": return classes == outputs ? .softmax : nil
        case "cross_entropy": return .sigmoid(scale: 1)
        case "cross_entropy_lambda": return .softplus
        default: return nil
        }
    }
}
