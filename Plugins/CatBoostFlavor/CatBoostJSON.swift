import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// A CatBoost model as JSON (catboost/catboost, `libs/model/model_export/json_model_helpers.cpp`);
/// its trees are counted, not kept.
enum CatBoostJSON {
    /// Most trees.
    static let mostTrees = 1_000_000
    /// Most bytes of what is kept as a tree of JSON.
    static let mostInfoBytes = 4 << 20

    /// - Throws: `invalidArgument` naming the file.
    static func read(_ bytes: [UInt8], name: String) throws -> CatBoostModel {
        var reader = JSONReader(bytes, name: name, depth: 256)
        var model = CatBoostModel()
        model.format = "json"
        do {
            try reader.object(limit: 64) { key, reader in
                switch key {
                case "features_info": try features(&reader, into: &model)
                case "model_info":
                    let text = Array(try reader.raw().utf8)
                    guard text.count <= mostInfoBytes else {
                        throw reader.failure("has a model_info of \(text.count) bytes")
                    }
                    let info = try JSONValue(parsing: text, name: "model_info of \(name)")
                    for member in info.members ?? [] { model.info[member.key] = member.value }
                case "oblivious_trees", "trees":
                    try reader.array(limit: mostTrees) { reader in
                        model.trees += 1
                        try tree(&reader, into: &model)
                    }
                case "scale_and_bias":
                    let value = try JSONValue(
                        parsing: Array(try reader.raw().utf8), name: "scale_and_bias of \(name)")
                    model.dimensions = Int64(value.elements?.last?.elements?.count ?? 1)
                default: try reader.skip()
                }
            }
            try reader.finish()
        } catch let error as LinajeError {
            throw LinajeError(.invalidArgument, error.message)
        }
        return model
    }

    private static let kinds = [
        "float_features": ("float", "double"), "categorical_features": ("categorical", "string"),
        "text_features": ("text", "string"),
    ]

    private static func features(
        _ reader: inout JSONReader, into model: inout CatBoostModel
    ) throws {
        try reader.object(limit: 64) { key, reader in
            guard let (kind, type) = kinds[key] else { return try reader.skip() }
            try reader.array(limit: CatBoostModel.mostFeatures) { reader in
                var feature = CatBoostModel.Feature(name: "", column: -1, type: type)
                try reader.object(limit: 64) { key, reader in
                    switch key {
                    case "feature_id" where try reader.kind() == .string:
                        feature.name = try reader.string()
                    case "flat_feature_index":
                        feature.column = Int64(clamping: try reader.unsigned())
                    default: try reader.skip()
                    }
                }
                model.features.append(feature)
                model.counts[kind, default: 0] += 1
            }
        }
    }

    private static func tree(_ reader: inout JSONReader, into model: inout CatBoostModel) throws {
        guard try reader.kind() == .object else { return try reader.skip() }
        try reader.object(limit: 64) { key, reader in
            guard key == "leaf_values" else { return try reader.skip() }
            try reader.array(limit: 1 << 24) { reader in
                try reader.skip()
                model.leaves += 1
            }
        }
    }
}
