import LinajeDomain
import LinajeModelFiles

/// Walks a `saved_model.pb` (tensorflow/tensorflow, `core/protobuf/saved_model.proto`,
/// `meta_graph.proto` and `core/framework/graph.proto`, whose field numbers these are).
struct SavedModelReader {
    /// Most nodes of all graphs and functions.
    static let mostNodes = 4_000_000
    /// Most different operations, functions, signatures, assets, tags, inputs and outputs.
    static let mostEntries = 100_000
    /// Most dimensions of a tensor.
    static let mostDimensions = 254
    /// Longest name in bytes.
    static let mostNameBytes = 65_536

    let reader: ProtobufReader
    private(set) var model = SavedModel()

    init(_ reader: ProtobufReader) { self.reader = reader }

    /// - Throws: `invalidArgument` naming the file and the place.
    mutating func read() async throws {
        var message = reader.root
        while let field = try await reader.next(&message) {
            switch (field.number, field.value) {
            case (1, .varint(let version)): model.schemaVersion = version
            case (2, .bytes(let range)):
                model.graphs += 1
                try await metaGraph(try reader.message(range, in: message))
            default: break
            }
        }
        guard model.graphs > 0 else {
            throw LinajeError(
                .invalidArgument, "\(reader.window.path) has no graph: it is no SavedModel")
        }
    }

    private mutating func metaGraph(_ message: ProtobufMessage) async throws {
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            let inner = try reader.message(range, in: message)
            switch field.number {
            case 1: try await info(inner)
            case 2: try await graph(inner)
            case 5:
                try check(model.signatures.count, "signatures")
                let entry = try await entry(inner)
                guard let value = entry.value else { continue }
                model.signatures.append(
                    try await signature(entry.key, try reader.message(value, in: inner)))
            case 6: try await asset(inner)
            default: break
            }
        }
    }

    private mutating func info(_ message: ProtobufMessage) async throws {
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            switch field.number {
            case 4:
                try check(model.tags.count, "tags")
                model.tags.insert(try await name(range))
            case 5: model.tensorflowVersion = try await name(range)
            default: break
            }
        }
    }

    // MARK: Graphs

    private mutating func graph(_ message: ProtobufMessage) async throws {
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            let inner = try reader.message(range, in: message)
            switch field.number {
            case 1: try await node(inner)
            case 2: try await library(inner)
            default: break
            }
        }
    }

    private mutating func library(_ message: ProtobufMessage) async throws {
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value, field.number == 1 else { continue }
            model.functions += 1
            var function = try reader.message(range, in: message)
            while let field = try await reader.next(&function) {
                guard case .bytes(let range) = field.value, field.number == 3 else { continue }
                try await node(try reader.message(range, in: function))
            }
        }
    }

    private mutating func node(_ message: ProtobufMessage) async throws {
        guard model.nodes < Self.mostNodes else {
            throw LinajeError(
                .invalidArgument, "\(reader.window.path) has more than \(Self.mostNodes) nodes")
        }
        model.nodes += 1
        var operation = ""
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value, field.number == 2 else { continue }
            operation = try await name(range)
        }
        if model.operations[operation] == nil {
            try check(model.operations.count, "different operations")
        }
        model.operations[operation, default: 0] += 1
    }

    private mutating func asset(_ message: ProtobufMessage) async throws {
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value, field.number == 2 else { continue }
            try check(model.assets.count, "assets")
            model.assets.append(try await name(range))
        }
    }

    // MARK: Signatures

    private func signature(
        _ name: String, _ message: ProtobufMessage
    ) async throws -> SavedModel.Signature {
        var signature = SavedModel.Signature(name: name)
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            switch field.number {
            case 1, 2:
                let inner = try reader.message(range, in: message)
                let entry = try await entry(inner)
                guard let value = entry.value else { continue }
                var tensor = try await tensor(try reader.message(value, in: inner))
                tensor.name = entry.key
                try check(signature.inputs.count + signature.outputs.count, "inputs and outputs")
                if field.number == 1 {
                    signature.inputs.append(tensor)
                } else {
                    signature.outputs.append(tensor)
                }
            case 3: signature.method = try await self.name(range)
            default: break
            }
        }
        return signature
    }

    private func tensor(_ message: ProtobufMessage) async throws -> SavedModel.Tensor {
        var tensor = SavedModel.Tensor()
        var message = message
        while let field = try await reader.next(&message) {
            switch (field.number, field.value) {
            case (2, .varint(let type)): tensor.type = type
            case (3, .bytes(let range)):
                tensor.shape = try await Self.shape(
                    try reader.message(range, in: message), reader)
            case (4, .bytes), (5, .bytes): tensor.isDense = false
            default: break
            }
        }
        return tensor
    }

    /// A TensorShapeProto (`core/framework/tensor_shape.proto`); `nil` for any shape.
    static func shape(
        _ message: ProtobufMessage, _ reader: ProtobufReader
    ) async throws -> [UInt64?]? {
        var shape: [UInt64?] = []
        var message = message
        while let field = try await reader.next(&message) {
            switch (field.number, field.value) {
            case (2, .bytes(let range)):
                guard shape.count < mostDimensions else {
                    throw LinajeError(
                        .invalidArgument,
                        "\(reader.window.path) has a shape of more than \(mostDimensions) "
                            + "dimensions")
                }
                var length: UInt64 = 0
                var dimension = try reader.message(range, in: message)
                while let field = try await reader.next(&dimension) {
                    if field.number == 1, case .varint(let size) = field.value { length = size }
                }
                // Negative is any length.
                shape.append(length > UInt64(Int64.max) ? nil : length)
            case (3, .varint(1)): return nil
            default: break
            }
        }
        return shape
    }

    // MARK: Parts

    /// An entry of a map: its key, and where its value is.
    private func entry(
        _ message: ProtobufMessage
    ) async throws -> (key: String, value: Range<UInt64>?) {
        var key = ""
        var value: Range<UInt64>?
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            switch field.number {
            case 1: key = try await name(range)
            case 2: value = range
            default: break
            }
        }
        return (key, value)
    }

    private func name(_ range: Range<UInt64>) async throws -> String {
        try await reader.text(range, limit: Self.mostNameBytes)
    }

    private func check(_ count: Int, _ what: String) throws {
        guard count < Self.mostEntries else {
            throw LinajeError(
                .invalidArgument,
                "\(reader.window.path) has more than \(Self.mostEntries) \(what)")
        }
    }
}
