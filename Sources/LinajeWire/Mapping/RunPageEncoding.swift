package import LinajeDomain

/// The params, tags and last metrics of the runs of a page as fields of `Run` messages, encoded while
/// they are read from the database.
///
/// What is added comes kind by kind and in each kind run by run, so that all of a run's fields of a
/// kind stand together.
package struct EncodedRunLabels: Sendable {
    /// Fields `params` and `tags` of all runs.
    private var labels: [UInt8] = []
    /// Fields `names` of the metrics of all runs, and their other columns as they are sent.
    private var names: [UInt8] = []
    private var values: [UInt64] = []
    private var steps: [UInt64] = []
    private var times: [UInt64] = []
    private var places: [Places]

    /// Where the fields of one run stand.
    private struct Places {
        var tags = 0..<0
        var params = 0..<0
        var names = 0..<0
        var numbers = 0..<0
    }

    package init(runs: Int) { places = Array(repeating: Places(), count: runs) }

    package mutating func add(
        tag key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, run: Int
    ) {
        let start = labels.count
        add(0x6A, key, text: value)
        places[run].tags.add(start..<labels.count)
    }

    package mutating func add(
        param key: UnsafeRawBufferPointer, text: UnsafeRawBufferPointer, run: Int
    ) {
        let start = labels.count
        add(0x62, key, text: text)
        places[run].params.add(start..<labels.count)
    }

    package mutating func add(param key: UnsafeRawBufferPointer, _ value: ParamValue, run: Int) {
        let start = labels.count
        switch value {
        case .string(var text):
            text.withUTF8 { add(0x62, key, text: UnsafeRawBufferPointer($0)) }
        case .int(let number):
            let zigzag = UInt64(bitPattern: (number << 1) ^ (number >> 63))
            add(param: key, 0x18, ProtobufBytes.size(varint: zigzag)) {
                ProtobufBytes.append(varint: zigzag, to: &$0)
            }
        case .double(let number):
            add(param: key, 0x21, 8) { ProtobufBytes.append(fixed: number.bitPattern, to: &$0) }
        case .bool(let flag):
            add(param: key, 0x28, 1) { $0.append(flag ? 1 : 0) }
        }
        places[run].params.add(start..<labels.count)
    }

    package mutating func add(
        metric key: UnsafeRawBufferPointer, value: Double, step: Int64, time: Int64, run: Int
    ) {
        let start = names.count
        Self.withText(key) { ProtobufBytes.append(0x0A, $0, to: &names) }
        places[run].names.add(start..<names.count)
        places[run].numbers.add(values.count..<(values.count + 1))
        values.append(value.bitPattern.littleEndian)
        steps.append(UInt64(bitPattern: step).littleEndian)
        times.append(UInt64(bitPattern: time).littleEndian)
    }

    /// All fields of one run.
    package func entry(run: Int) -> [UInt8] {
        let place = places[run]
        let numberBytes = place.numbers.count * 8
        var out: [UInt8] = []
        out.reserveCapacity(
            place.tags.count + place.params.count + place.names.count + 3 * numberBytes + 48)
        out += labels[place.params]
        out += labels[place.tags]
        guard !place.names.isEmpty else { return out }
        let column = 1 + ProtobufBytes.size(varint: UInt64(numberBytes)) + numberBytes
        out += [0xA2, 0x01]
        ProtobufBytes.append(varint: UInt64(place.names.count + 3 * column), to: &out)
        out += names[place.names]
        for (tag, numbers) in [(UInt8(0x12), values), (0x1A, steps), (0x22, times)] {
            numbers[place.numbers].withUnsafeBytes { ProtobufBytes.append(tag, $0, to: &out) }
        }
        return out
    }

    /// Appends a tag or param whose value is a text.
    private mutating func add(
        _ tag: UInt8, _ key: UnsafeRawBufferPointer, text: UnsafeRawBufferPointer
    ) {
        Self.withText(key) { key in
            Self.withText(text) { text in
                begin(tag, Self.size(key) + Self.size(text))
                ProtobufBytes.append(0x0A, key, to: &labels)
                ProtobufBytes.append(0x12, text, to: &labels)
            }
        }
    }

    /// Appends a param whose value is no text: its tag, its size and what writes it.
    private mutating func add(
        param key: UnsafeRawBufferPointer, _ tag: UInt8, _ size: Int,
        _ write: (inout [UInt8]) -> Void
    ) {
        Self.withText(key) { key in
            begin(0x62, Self.size(key) + 1 + size)
            ProtobufBytes.append(0x0A, key, to: &labels)
            labels.append(tag)
            write(&labels)
        }
    }

    private mutating func begin(_ tag: UInt8, _ size: Int) {
        labels.append(tag)
        ProtobufBytes.append(varint: UInt64(size), to: &labels)
    }

    /// Bytes of a field of text.
    private static func size(_ text: UnsafeRawBufferPointer) -> Int {
        1 + ProtobufBytes.size(varint: UInt64(text.count)) + text.count
    }

    /// Lends a text as a message may hold it: what is no UTF-8, as a damaged database may have it,
    /// would make the whole page unreadable.
    private static func withText(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        if bytes.allSatisfy({ $0 < 0x80 }) { return body(bytes) }
        var text = String(decoding: bytes, as: UTF8.self)
        text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}

extension Range<Int> {
    /// Goes on with a range that begins at its end; an empty one becomes that range.
    fileprivate mutating func add(_ range: Range<Int>) {
        self = (isEmpty ? range.lowerBound : lowerBound)..<range.upperBound
    }
}

/// Puts the bytes of a `SearchRunsResponse` together, run by run.
package struct RunPageEncoding {
    private var bytes: [UInt8] = []

    package init() {}

    /// Adds a run that stands in memory without its labels, which are fields of the message, too: they
    /// may come in any order and in pieces.
    package mutating func add(_ run: Run, labels: [UInt8]) throws {
        let message = try Linaje_V1_Run(run).payload()
        bytes.append(0x0A)
        ProtobufBytes.append(varint: UInt64(message.count + labels.count), to: &bytes)
        bytes += message
        bytes += labels
    }

    /// The bytes, with the fields of an answer that has no runs.
    package mutating func end(_ rest: Linaje_V1_SearchRunsResponse) throws -> [UInt8] {
        bytes += try rest.payload()
        return bytes
    }
}
