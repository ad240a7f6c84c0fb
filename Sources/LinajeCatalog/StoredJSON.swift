import LinajeDomain

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Documents that the catalog keeps as JSON text: provenance, model descriptions.
enum StoredJSON {
    /// - Throws: `limitExceeded` when the text is longer than `CatalogLimits.documentBytes`.
    static func encode(_ value: some Encodable, noun: String) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes: Data
        do {
            bytes = try encoder.encode(value)
        } catch {
            throw LinajeError(.invalidArgument, "\(noun) cannot be written as JSON: \(error)")
        }
        guard bytes.count <= CatalogLimits.documentBytes else {
            throw LinajeError(
                .limitExceeded,
                "\(noun) has \(bytes.count) bytes as JSON; at most "
                    + "\(CatalogLimits.documentBytes) are allowed")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// - Throws: `corrupt` when the text is something else.
    static func decode<Value: Decodable>(
        _ type: Value.Type = Value.self, from text: String, noun: String
    ) throws -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
        } catch {
            throw LinajeError(.corrupt, "\(noun) in the catalog cannot be read: \(error)")
        }
    }
}

/// A model description in the two columns it is kept in; lists do not read the second.
struct StoredModelDescription {
    var model: String
    var tensors: String

    /// - Throws: `limitExceeded` for too many tensors.
    init(_ description: ModelDescription) throws {
        guard description.tensors.count <= CatalogLimits.tensors else {
            throw LinajeError(
                .limitExceeded,
                "model has \(description.tensors.count) tensors; at most "
                    + "\(CatalogLimits.tensors) are kept")
        }
        var rest = description
        rest.tensors = []
        model = try StoredJSON.encode(rest, noun: "model description")
        tensors = try StoredJSON.encode(description.tensors, noun: "list of tensors")
    }

    /// The description; without tensors when their column was not read.
    static func decode(model: String, tensors: String?) throws -> ModelDescription {
        var description: ModelDescription = try StoredJSON.decode(
            from: model, noun: "model description")
        if let tensors {
            description.tensors = try StoredJSON.decode(from: tensors, noun: "list of tensors")
        }
        return description
    }
}
