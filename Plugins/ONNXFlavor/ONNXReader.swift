import LinajeDomain
import LinajeModelFiles

/// Walks an ONNX file (onnx/onnx, `onnx.proto`, whose field numbers these are).
struct ONNXReader {
    /// Most nodes of one file, all graphs together.
    static let mostNodes = 2_000_000
    /// Most tensors of one file.
    static let mostTensors = 1_000_000
    /// Most inputs or outputs of the graph, operator sets and metadata entries.
    static let mostEntries = 65_536
    /// Deepest nesting of graphs: loops and branches inside each other.
    static let mostGraphDepth = 12
    /// Most dimensions of a tensor.
    static let mostDimensions = 64
    /// Longest name in bytes.
    static let mostNameBytes = 4_096
    /// Longest value of the metadata in bytes.
    static let mostMetadataBytes = 64 << 10

    let reader: ProtobufReader
    private(set) var model = ONNXModel()

    init(_ reader: ProtobufReader) { self.reader = reader }

    /// - Throws: `invalidArgument` naming the file and the place.
    mutating func read() async throws {
        var message = reader.root
        while let field = try await reader.next(&message) {
            switch (field.number, field.value) {
            case (1, .varint(let version)): model.irVersion = version
            case (2, .bytes(let range)): model.producer = try await name(range)
            case (3, .bytes(let range)): model.producerVersion = try await name(range)
            case (4, .bytes(let range)): model.domain = try await name(range)
            case (5, .varint(let version)): model.modelVersion = version
            case (7, .bytes(let range)):
                model.hasGraph = true
                try await graph(try reader.message(range, in: message), depth: 0)
            case (8, .bytes(let range)):
                try await opset(try reader.message(range, in: message))
            case (14, .bytes(let range)):
                let entry = try await entry(try reader.message(range, in: message))
                try check(model.metadata.count, Self.mostEntries, "metadata entries")
                model.metadata[entry.key] = entry.value
            case (20, .bytes(let range)):
                try await training(try reader.message(range, in: message))
            case (25, .bytes(let range)):
                try await function(try reader.message(range, in: message))
            default: break
            }
        }
        guard model.hasGraph, model.irVersion != nil else {
            throw LinajeError(
                .invalidArgument,
                "\(reader.window.path) has no "
                    + (model.hasGraph ? "ir_version" : "graph") + ": it is no ONNX model")
        }
    }

    // MARK: Graphs

    private mutating func graph(_ message: ProtobufMessage, depth: Int) async throws {
        guard depth <= Self.mostGraphDepth else {
            throw LinajeError(
                .invalidArgument,
                "\(reader.window.path) has graphs nested more than \(Self.mostGraphDepth) deep at "
                    + "byte \(message.position)")
        }
        if depth > 0 { model.subgraphs += 1 }
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            switch field.number {
            case 1: try await node(try reader.message(range, in: message), depth: depth)
            case 2 where depth == 0: model.graphName = try await name(range)
            case 5:
                let tensor = try await tensor(try reader.message(range, in: message))
                try add(initializer: tensor, isTopLevel: depth == 0)
            case 11 where depth == 0:
                try check(model.inputs.count, Self.mostEntries, "inputs")
                model.inputs.append(try await value(try reader.message(range, in: message)))
            case 12 where depth == 0:
                try check(model.outputs.count, Self.mostEntries, "outputs")
                model.outputs.append(try await value(try reader.message(range, in: message)))
            case 15: try await sparse(try reader.message(range, in: message))
            default: break
            }
        }
    }

    private mutating func node(_ message: ProtobufMessage, depth: Int) async throws {
        try check(model.nodes, Self.mostNodes, "nodes")
        model.nodes += 1
        var kind = ONNXModel.Operator(domain: "", name: "")
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            switch field.number {
            case 4: kind.name = try await name(range)
            case 5: try await attribute(try reader.message(range, in: message), depth: depth)
            case 7: kind.domain = try await name(range)
            default: break
            }
        }
        if kind.domain == "ai.onnx" { kind.domain = "" }
        if model.operators[kind] == nil {
            try check(model.operators.count, Self.mostEntries, "different operators")
        }
        model.operators[kind, default: 0] += 1
    }

    /// Graphs and tensors may stand in attributes; numbers and texts are skipped.
    private mutating func attribute(_ message: ProtobufMessage, depth: Int) async throws {
        var message = message
        while true {
            reader.skipNumbers(&message)
            guard let field = try await reader.next(&message) else { break }
            guard case .bytes(let range) = field.value else { continue }
            switch field.number {
            case 5, 10: _ = try await tensor(try reader.message(range, in: message))
            case 6, 11: try await graph(try reader.message(range, in: message), depth: depth + 1)
            case 22, 23: try await sparse(try reader.message(range, in: message))
            default: break
            }
        }
    }

    private mutating func function(_ message: ProtobufMessage) async throws {
        try check(model.functions.count, Self.mostEntries, "functions")
        var function = ONNXModel.Operator(domain: "", name: "")
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            switch field.number {
            case 1: function.name = try await name(range)
            case 7: try await node(try reader.message(range, in: message), depth: 1)
            case 9: try await opset(try reader.message(range, in: message))
            case 10: function.domain = try await name(range)
            case 11: try await attribute(try reader.message(range, in: message), depth: 1)
            default: break
            }
        }
        model.functions.insert(function)
    }

    private mutating func training(_ message: ProtobufMessage) async throws {
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value, field.number <= 2 else { continue }
            try await graph(try reader.message(range, in: message), depth: 1)
        }
    }

    // MARK: Tensors

    private mutating func tensor(_ message: ProtobufMessage) async throws -> ONNXModel.Tensor {
        var tensor = ONNXModel.Tensor()
        var message = message
        while let field = try await reader.next(&message) {
            switch (field.number, field.value) {
            case (1, let value):
                tensor.shape += try await reader.varints(value, limit: Self.mostDimensions)
                try check(tensor.shape.count - 1, Self.mostDimensions, "dimensions of a tensor")
            case (2, .varint(let type)): tensor.type = type
            case (8, .bytes(let range)): tensor.name = try await name(range)
            case (9, .bytes(let range)):
                tensor.rawBytes = range.upperBound - range.lowerBound
            case (13, .bytes(let range)):
                let entry = try await entry(try reader.message(range, in: message))
                try check(tensor.external.count, 64, "external_data entries of a tensor")
                let other = tensor.external.updateValue(entry.value, forKey: entry.key)
                if other != nil { tensor.isAmbiguous = true }
            case (14, .varint(let location)): tensor.isExternal = location == 1
            default: break
            }
        }
        // Only one of the two is no honest file either; readers differ in which they go by.
        if tensor.isExternal || !tensor.external.isEmpty {
            try check(model.externals.count, Self.mostTensors, "tensors")
            model.externals.append(tensor)
        }
        try measure(tensor)
        return tensor
    }

    /// Checks that the shape is right for the data that stand in the file.
    private mutating func measure(_ tensor: ONNXModel.Tensor) throws {
        guard let elements = tensor.elements, elements <= UInt64(Int64.max) else {
            throw LinajeError(
                .invalidArgument,
                "\(reader.window.path): tensor \"\(tensor.name.prefix(200))\" has a shape that "
                    + "overflows")
        }
        guard let raw = tensor.rawBytes, raw > 0, !tensor.isExternal,
            let type = ONNXType(number: tensor.type), type.bits > 0
        else { return }
        let (bits, overflow) = elements.multipliedReportingOverflow(by: type.bits)
        guard overflow || bits / 8 + (bits.isMultiple(of: 8) ? 0 : 1) != raw else { return }
        if model.misfits.count < 100 { model.misfits.append(tensor.name) }
    }

    private mutating func add(initializer tensor: ONNXModel.Tensor, isTopLevel: Bool) throws {
        try check(model.initializerCount, Self.mostTensors, "tensors")
        model.initializerCount += 1
        if isTopLevel { model.initializerNames.insert(tensor.name) }
        if model.initializers.count < 10_000 { model.initializers.append(tensor) }
        let elements = tensor.elements ?? 0
        let (sum, overflow) = model.elements.addingReportingOverflow(elements)
        model.elements = overflow ? .max : sum
        guard let type = ONNXType(number: tensor.type) else { return }
        let (bits, tooMany) = elements.multipliedReportingOverflow(by: type.bits)
        let (bytes, over) = model.bytes.addingReportingOverflow(bits / 8)
        model.bytes = tooMany || over ? .max : bytes
    }

    private mutating func sparse(_ message: ProtobufMessage) async throws {
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value, field.number <= 2 else { continue }
            let tensor = try await tensor(try reader.message(range, in: message))
            if field.number == 1 { try add(initializer: tensor, isTopLevel: true) }
        }
    }

    // MARK: Values

    private func value(_ message: ProtobufMessage) async throws -> ONNXModel.Value {
        var value = ONNXModel.Value()
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            switch field.number {
            case 1: value.name = try await name(range)
            case 2: try await type(try reader.message(range, in: message), into: &value)
            default: break
            }
        }
        return value
    }

    private static let kinds = [4: "sequence", 5: "map", 7: "opaque", 8: "sparse", 9: "optional"]

    private func type(
        _ message: ProtobufMessage, into value: inout ONNXModel.Value
    ) async throws {
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            if let kind = Self.kinds[field.number] { value.kind = kind }
            guard field.number == 1 else { continue }
            var type: UInt64 = 0
            var shape: [UInt64?]?
            var inner = try reader.message(range, in: message)
            while let field = try await reader.next(&inner) {
                switch (field.number, field.value) {
                case (1, .varint(let number)): type = number
                case (2, .bytes(let range)):
                    shape = try await self.shape(try reader.message(range, in: inner))
                default: break
                }
            }
            value.tensor = (type, shape)
        }
    }

    private func shape(_ message: ProtobufMessage) async throws -> [UInt64?] {
        var shape: [UInt64?] = []
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value, field.number == 1 else { continue }
            try check(shape.count, Self.mostDimensions, "dimensions of a value")
            var length: UInt64?
            var dimension = try reader.message(range, in: message)
            while let field = try await reader.next(&dimension) {
                if field.number == 1, case .varint(let number) = field.value { length = number }
            }
            shape.append(length)
        }
        return shape
    }

    // MARK: Parts

    private mutating func opset(_ message: ProtobufMessage) async throws {
        var domain = ""
        var version: UInt64 = 0
        var message = message
        while let field = try await reader.next(&message) {
            switch (field.number, field.value) {
            case (1, .bytes(let range)): domain = try await name(range)
            case (2, .varint(let number)): version = number
            default: break
            }
        }
        try check(model.opsets.count, Self.mostEntries, "operator sets")
        if domain == "ai.onnx" { domain = "" }
        model.opsets[domain] = max(version, model.opsets[domain] ?? 0)
    }

    private func entry(_ message: ProtobufMessage) async throws -> (key: String, value: String) {
        var key = ""
        var value = ""
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            switch field.number {
            case 1: key = try await name(range)
            case 2: value = try await reader.text(range, limit: Self.mostMetadataBytes)
            default: break
            }
        }
        return (key, value)
    }

    private func name(_ range: Range<UInt64>) async throws -> String {
        try await reader.text(range, limit: Self.mostNameBytes)
    }

    private func check(_ count: Int, _ limit: Int, _ what: String) throws {
        guard count < limit else {
            throw LinajeError(
                .invalidArgument, "\(reader.window.path) has more than \(limit) \(what)")
        }
    }
}
