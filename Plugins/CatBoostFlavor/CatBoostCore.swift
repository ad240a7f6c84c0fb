import LinajeDomain
import LinajeModelFiles

/// A model in CatBoost's own format: "CBM1", the length of the core, and the core as a FlatBuffer
/// (catboost/catboost, `catboost/libs/model/flatbuffers/model.fbs` and `features.fbs`, whose fields
/// are counted from 0 here).
struct CatBoostCore {
    /// Longest core that is read in one piece, in bytes.
    private static let mostAtOnce: UInt64 = 8 << 20
    /// Longest text in bytes.
    private static let mostTextBytes = 1 << 20
    /// Most entries of the info map and most model parts.
    private static let mostEntries: UInt64 = 1_000

    private let window: FileWindow

    init(_ window: FileWindow) { self.window = window }

    /// - Throws: `invalidArgument` naming the file and the place.
    func read() async throws -> CatBoostModel {
        guard window.size >= 16 else {
            throw LinajeError(
                .invalidArgument, "\(window.path) has \(window.size) bytes, too few for a model")
        }
        let length = try await window.number(4, width: 4)
        guard length <= window.size - 8 else {
            throw LinajeError(
                .invalidArgument,
                "\(window.path) says its core has \(length) bytes, but the file has "
                    + "\(window.size): it is truncated")
        }
        // Tables stand in no order; in one piece nothing is fetched twice.
        if length <= Self.mostAtOnce { try await window.load(0, Int(length) + 8) }
        let buffer = FlatBuffer(window, start: 8, end: 8 + length)
        var model = CatBoostModel()
        model.bytes = length
        let core = try await buffer.root()
        if let place = try await buffer.reference(core, 0) {
            model.format = try await buffer.text(place, limit: Self.mostTextBytes)
        }
        guard model.format.hasPrefix("FlabuffersModel_") else {
            throw LinajeError(
                .invalidArgument,
                "\(window.path) has the format \"\(model.format.prefix(40))\"; FlabuffersModel_v1 "
                    + "is read")
        }
        if let place = try await buffer.reference(core, 1) {
            try await trees(try await buffer.table(place), buffer, into: &model)
        }
        try await readInfo(core, buffer, into: &model)
        if let place = try await buffer.reference(core, 3) {
            for element in try await buffer.elements(place, limit: Self.mostEntries) {
                model.parts.append(try await buffer.text(element, limit: 4_096))
            }
        }
        return model
    }

    private func readInfo(
        _ core: FlatBuffer.Table, _ buffer: FlatBuffer, into model: inout CatBoostModel
    ) async throws {
        guard let place = try await buffer.reference(core, 2) else { return }
        for element in try await buffer.elements(place, limit: Self.mostEntries) {
            let entry = try await buffer.table(element)
            guard let key = try await buffer.reference(entry, 0),
                let value = try await buffer.reference(entry, 1)
            else { continue }
            let name = try await buffer.text(key, limit: 4_096)
            let text = try await buffer.text(value, limit: Self.mostTextBytes)
            // Some values are JSON, some are texts.
            let json =
                text.hasPrefix("{")
                ? try? JSONValue(parsing: Array(text.utf8), name: name, depth: 32) : nil
            model.info[name] = json ?? .string(text)
        }
    }

    /// Kinds of features: their field in the table of trees, and those of their column and name.
    private static let kinds: [(kind: String, field: Int, column: Int, name: Int, type: String)] = [
        ("float", 5, 2, 4, "double"), ("categorical", 4, 1, 2, "string"),
        ("text", 12, 1, 2, "string"),
    ]

    private func trees(
        _ table: FlatBuffer.Table, _ buffer: FlatBuffer, into model: inout CatBoostModel
    ) async throws {
        model.dimensions = Int64(try await buffer.integer(table, 0) ?? 1)
        if let place = try await buffer.reference(table, 2) {
            model.trees = Int(clamping: try await buffer.count(place, width: 4))
        }
        if let place = try await buffer.reference(table, 8) {
            model.leaves = try await buffer.count(place, width: 8)
        }
        for kind in Self.kinds {
            guard let place = try await buffer.reference(table, kind.field) else { continue }
            let elements = try await buffer.elements(
                place, limit: UInt64(CatBoostModel.mostFeatures))
            model.counts[kind.kind] = elements.count
            for element in elements {
                let feature = try await buffer.table(element)
                var name = ""
                if let place = try await buffer.reference(feature, kind.name) {
                    name = try await buffer.text(place, limit: 65_536)
                }
                let column = try await buffer.integer(feature, kind.column) ?? -1
                model.features.append(
                    CatBoostModel.Feature(name: name, column: Int64(column), type: kind.type))
            }
        }
    }
}
