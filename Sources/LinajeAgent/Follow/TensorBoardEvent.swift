/// What an event of a TensorBoard file says, as far as it is about scalars.
///
/// ```
/// Event   { 1: double wall_time  2: int64 step  5: Summary }
/// Summary { 1: repeated Value }
/// Value   { 1: string tag  2: float simple_value  8: TensorProto  9: SummaryMetadata }
/// SummaryMetadata { 1: PluginData { 1: string plugin_name } }
/// TensorProto { 1: dtype  2: Shape { 2: repeated Dim { 1: size } }  4: bytes content
///               5: repeated float  6: repeated double }
/// ```
/// Field numbers as in TensorFlow's event.proto, summary.proto and tensor.proto. TensorFlow 1,
/// PyTorch and tensorboardX write `simple_value`, TensorFlow 2 a tensor of one number.
package struct TensorBoardEvent: Sendable, Equatable {
    /// Seconds since 1970 UTC.
    package var wallTime = 0.0
    package var step: Int64 = 0
    package var scalars: [(tag: String, value: Double)] = []
    /// Values that are no scalars: images, histograms, texts.
    package var ignored = 0

    package static func == (left: Self, right: Self) -> Bool {
        left.wallTime == right.wallTime && left.step == right.step && left.ignored == right.ignored
            && left.scalars.elementsEqual(right.scalars) {
                $0.tag == $1.tag && $0.value.bitPattern == $1.value.bitPattern
            }
    }

    /// - Throws: where the bytes are no message. What is unknown in it is passed over.
    package init(_ bytes: ArraySlice<UInt8>) throws(ProtobufReader.Failure) {
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (1, .fixed64(let bits)): wallTime = Double(bitPattern: bits)
            case (2, .varint(let number)): step = Int64(bitPattern: number)
            case (5, .bytes(let summary)): try read(summary: summary)
            default: break
            }
        }
    }

    private mutating func read(summary: ArraySlice<UInt8>) throws(ProtobufReader.Failure) {
        var reader = ProtobufReader(summary)
        while let (field, value) = try reader.next() {
            guard field == 1, case .bytes(let bytes) = value else { continue }
            if let scalar = try Self.scalar(bytes), scalars.count < AgentLimits.pointsPerRecord {
                scalars.append(scalar)
            } else {
                ignored += 1
            }
        }
    }

    private static func scalar(
        _ bytes: ArraySlice<UInt8>
    ) throws(ProtobufReader.Failure) -> (tag: String, value: Double)? {
        var tag: String?
        var found: Double?
        var plugin: ArraySlice<UInt8> = []
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (1, .bytes(let text)): tag = String(validating: text, as: UTF8.self)
            case (2, .fixed32(let bits)): found = Double(Float(bitPattern: bits))
            case (8, .bytes(let tensor)): found = try number(tensor)
            case (9, .bytes(let metadata)): plugin = try pluginName(metadata)
            default: break
            }
        }
        // A tensor of one number may also be another plugin's; one of nobody is a scalar.
        guard let tag, let found, plugin.isEmpty || plugin.elementsEqual("scalars".utf8) else {
            return nil
        }
        return (tag, found)
    }

    private static func pluginName(
        _ metadata: ArraySlice<UInt8>
    ) throws(ProtobufReader.Failure) -> ArraySlice<UInt8> {
        guard let data = try last(1, of: metadata) else { return [] }
        return try last(1, of: data) ?? []
    }

    /// The last value of a field of bytes.
    private static func last(
        _ wanted: UInt64, of message: ArraySlice<UInt8>
    ) throws(ProtobufReader.Failure) -> ArraySlice<UInt8>? {
        var found: ArraySlice<UInt8>?
        var reader = ProtobufReader(message)
        while let (field, value) = try reader.next() {
            if field == wanted, case .bytes(let bytes) = value { found = bytes }
        }
        return found
    }

    /// The number of a tensor of one float or double; `nil` for any other.
    private static func number(
        _ tensor: ArraySlice<UInt8>
    ) throws(ProtobufReader.Failure) -> Double? {
        var kind: UInt64 = 0
        var content: ArraySlice<UInt8> = []
        var floats: ArraySlice<UInt8> = []
        var doubles: ArraySlice<UInt8> = []
        var single: Double?
        var reader = ProtobufReader(tensor)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (1, .varint(let number)): kind = number
            case (2, .bytes(let shape)): guard try hasOneElement(shape) else { return nil }
            case (4, .bytes(let bytes)): content = bytes
            case (5, .bytes(let bytes)): floats = bytes
            case (5, .fixed32(let bits)): single = Double(Float(bitPattern: bits))
            case (6, .bytes(let bytes)): doubles = bytes
            case (6, .fixed64(let bits)): single = Double(bitPattern: bits)
            default: break
            }
        }
        // DT_FLOAT and DT_DOUBLE of types.proto.
        switch kind {
        case 1:
            let bytes = content.isEmpty ? floats : content
            guard bytes.count == 4 else { return bytes.isEmpty ? single : nil }
            let bits = UInt32(truncatingIfNeeded: ProtobufReader.number(bytes))
            return Double(Float(bitPattern: bits))
        case 2:
            let bytes = content.isEmpty ? doubles : content
            guard bytes.count == 8 else { return bytes.isEmpty ? single : nil }
            return Double(bitPattern: ProtobufReader.number(bytes))
        default: return nil
        }
    }

    private static func hasOneElement(
        _ shape: ArraySlice<UInt8>
    ) throws(ProtobufReader.Failure) -> Bool {
        var reader = ProtobufReader(shape)
        while let (field, value) = try reader.next() {
            guard field == 2, case .bytes(let dimension) = value else { continue }
            var size: UInt64 = 0
            var inner = ProtobufReader(dimension)
            while let (field, value) = try inner.next() {
                if field == 1, case .varint(let number) = value { size = number }
            }
            if size != 1 { return false }
        }
        return true
    }
}
