import LinajeDomain
import LinajeModelFiles

/// Reads a graph with its data (onnx/onnx, `onnx.proto`, whose field numbers these are). What is
/// not read here and could change what comes out makes the graph unknown.
struct ONNXGraphReader {
    /// Most nodes and stored tensors.
    static let mostEntries = 10_000
    /// Most numbers and texts of all attributes and tensors together.
    static let mostElements = 24 << 20

    private let reader: ProtobufReader
    private var left = Self.mostElements
    /// Whether something stands in it that is not read.
    private(set) var isUnknown = false
    private var graph = ONNXGraph()

    init(_ reader: ProtobufReader) { self.reader = reader }

    /// - Returns: `nil` when something stands in it that is not read.
    /// - Throws: `invalidArgument` naming the file and the place, `limitExceeded` when it is too
    ///   large to be scored.
    mutating func read() async throws -> ONNXGraph? {
        var message = reader.root
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            switch field.number {
            case 7: try await graph(try reader.message(range, in: message))
            // The model's own functions.
            case 25: isUnknown = true
            default: break
            }
        }
        return isUnknown ? nil : graph
    }

    private mutating func graph(_ message: ProtobufMessage) async throws {
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            switch field.number {
            case 1:
                try check(graph.nodes.count)
                let node = try await node(try reader.message(range, in: message))
                graph.nodes.append(node)
            case 5:
                try check(graph.tensors.count)
                let tensor = try await tensor(try reader.message(range, in: message))
                graph.tensors.append(tensor)
            case 15: isUnknown = true
            default: break
            }
        }
    }

    private mutating func node(_ message: ProtobufMessage) async throws -> ONNXGraph.Node {
        var node = ONNXGraph.Node()
        var message = message
        while let field = try await reader.next(&message) {
            guard case .bytes(let range) = field.value else { continue }
            if field.number == 5 {
                let part = try reader.message(range, in: message)
                keep(try await attribute(part), in: &node)
            } else if [1, 2, 4, 7].contains(field.number) {
                try spend(1)
                keep(try await reader.text(range), of: field.number, in: &node)
            }
        }
        return node
    }

    private mutating func keep(_ named: NamedAttribute, in node: inout ONNXGraph.Node) {
        guard let value = named.value,
            node.attributes.updateValue(value, forKey: named.name) == nil
        else {
            isUnknown = true
            return
        }
    }

    private func keep(_ text: String, of field: Int, in node: inout ONNXGraph.Node) {
        switch field {
        case 1: node.inputs.append(text)
        case 2: node.outputs.append(text)
        case 4: node.kind = text
        default: node.domain = text == "ai.onnx" ? "" : text
        }
    }

    private struct NamedAttribute {
        var name: String
        var value: ONNXGraph.Attribute?
    }

    /// The fields of an attribute, of which one has its value.
    private struct AttributeParts {
        var name = ""
        var kind: UInt64?
        var single: ONNXGraph.Attribute?
        var floats: [Float] = []
        var integers: [Int64] = []
        var texts: [String] = []

        /// By AttributeProto.AttributeType; proto3 leaves out what is zero.
        var value: ONNXGraph.Attribute? {
            switch kind {
            case 1: single ?? .float(0)
            case 2: single ?? .integer(0)
            case 3: single ?? .text("")
            case 4: single
            case 6: .floats(floats)
            case 7: .integers(integers)
            case 8: .texts(texts)
            default: nil
            }
        }
    }

    private mutating func attribute(_ message: ProtobufMessage) async throws -> NamedAttribute {
        var parts = AttributeParts()
        var message = message
        while let field = try await reader.next(&message) {
            switch (field.number, field.value) {
            case (1, .bytes(let range)): parts.name = try await reader.text(range)
            case (2, .fixed32(let bits)): parts.single = .float(Float(bitPattern: bits))
            case (3, .varint(let bits)): parts.single = .integer(Int64(bitPattern: bits))
            case (4, .bytes(let range)):
                parts.single = .text(try await reader.text(range, limit: 64 << 10))
            case (5, .bytes(let range)):
                parts.single = .tensor(try await tensor(try reader.message(range, in: message)))
            case (7, let value): parts.floats += try await floats(value)
            case (8, let value): parts.integers += try await integers(value)
            case (9, .bytes(let range)):
                try spend(1)
                parts.texts.append(try await reader.text(range))
            case (13, .bytes): break
            case (20, .varint(let number)): parts.kind = number
            default: isUnknown = true
            }
        }
        return NamedAttribute(name: parts.name, value: parts.value)
    }

    // MARK: Tensors

    private mutating func tensor(_ message: ProtobufMessage) async throws -> ONNXGraph.Tensor {
        var tensor = ONNXGraph.Tensor()
        var raw: Range<UInt64>?
        var narrow: [Int64] = []
        var wide: [Int64] = []
        var message = message
        while let field = try await reader.next(&message) {
            switch (field.number, field.value) {
            case (1, let value):
                for length in try await reader.varints(value, limit: 16) {
                    guard let length = Int(exactly: length), tensor.shape.count < 16 else {
                        isUnknown = true
                        continue
                    }
                    tensor.shape.append(length)
                }
            case (2, .varint(let type)): tensor.type = type
            case (4, let value): tensor.floats += try await floats(value)
            case (5, let value):
                narrow += try await integers(value).map { Int64(Int32(truncatingIfNeeded: $0)) }
            case (7, let value): wide += try await integers(value)
            case (6, .bytes(let range)):
                try spend(1)
                tensor.texts.append(try await reader.text(range))
            case (8, .bytes(let range)): tensor.name = try await reader.text(range)
            case (9, .bytes(let range)): raw = range
            // Segments, doubles, numbers without a sign, and data elsewhere.
            case (3, _), (10, _), (11, _), (13, _): isUnknown = true
            case (14, .varint(let location)) where location != 0: isUnknown = true
            default: break
            }
        }
        tensor.integers = tensor.type == 7 ? wide : narrow
        let others = tensor.type == 7 ? narrow : wide
        if let raw { try await unpack(raw, into: &tensor) }
        if !tensor.isWhole || !others.isEmpty { isUnknown = true }
        return tensor
    }

    /// Little-endian elements of the tensor's type.
    private mutating func unpack(
        _ range: Range<UInt64>, into tensor: inout ONNXGraph.Tensor
    ) async throws {
        let widths: [UInt64: Int] = [1: 4, 6: 4, 7: 8, 9: 1]
        let length = range.upperBound - range.lowerBound
        guard let width = widths[tensor.type], length <= 64 << 20,
            length.isMultiple(of: UInt64(width))
        else {
            isUnknown = true
            return
        }
        try spend(Int(length) / width)
        var position = range.lowerBound
        while position < range.upperBound {
            let count = Int(min(range.upperBound - position, 1 << 20)) / width
            guard count > 0 else { break }
            let bytes = try await reader.window.bytes(position, count * width)
            var cursor = ByteCursor(bytes, name: reader.window.path, base: position)
            for _ in 0..<count {
                switch tensor.type {
                case 1: tensor.floats.append(try cursor.float())
                case 6: tensor.integers.append(Int64(try cursor.integer(Int32.self)))
                case 9: tensor.integers.append(Int64(try cursor.byte()))
                default: tensor.integers.append(try cursor.integer(Int64.self))
                }
            }
            position += UInt64(count * width)
        }
    }

    // MARK: Numbers

    /// Floats, packed or one by one.
    private mutating func floats(_ value: ProtobufField.Value) async throws -> [Float] {
        switch value {
        case .fixed32(let bits):
            try spend(1)
            return [Float(bitPattern: bits)]
        case .bytes(let range):
            var part = ONNXGraph.Tensor()
            part.type = 1
            try await unpack(range, into: &part)
            return part.floats
        default:
            isUnknown = true
            return []
        }
    }

    /// Whole numbers, packed or one by one.
    private mutating func integers(_ value: ProtobufField.Value) async throws -> [Int64] {
        let numbers = try await reader.varints(value, limit: left)
        try spend(numbers.count)
        return numbers.map { Int64(bitPattern: $0) }
    }

    private mutating func spend(_ count: Int) throws {
        guard count <= left else {
            throw LinajeError(
                .limitExceeded, "\(reader.window.path) is too large to be scored here")
        }
        left -= count
    }

    private func check(_ count: Int) throws {
        guard count < Self.mostEntries else {
            throw LinajeError(
                .limitExceeded,
                "\(reader.window.path) has more than \(Self.mostEntries) nodes or tensors")
        }
    }
}
