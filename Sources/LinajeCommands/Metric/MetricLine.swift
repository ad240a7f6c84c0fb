import LinajeDomain

/// One line of measurements as people and programs write them.
///
/// ```
/// {"key": "loss", "value": 0.5, "step": 3, "time_us": 1700000000000000}    one metric
/// {"loss": 0.5, "accuracy": 0.9, "step": 3}                                 several
/// loss=0.5 accuracy=0.9 step=3                                              several
/// 0.5                                                                       with a key given
/// ```
/// `step` and `time_us` may be missing. Values may be NaN, Infinity and -Infinity.
struct MetricLine: Equatable {
    var step: Int64?
    var time: Int64?
    var values: [(key: String, value: Double)]

    static func == (left: Self, right: Self) -> Bool {
        left.step == right.step && left.time == right.time
            && left.values.elementsEqual(right.values) {
                $0.key == $1.key && $0.value.bitPattern == $1.value.bitPattern
            }
    }

    /// Reads a line; `nil` for an empty one.
    ///
    /// - Parameter key: the metric of a line that is only a number.
    /// - Throws: `invalidArgument` saying what is wrong.
    init?(parsing line: some Collection<UInt8>, key: String? = nil) throws {
        let bytes = Array(line)
        guard let first = bytes.first(where: { !Self.isSpace($0) }) else { return nil }
        step = nil
        time = nil
        values = []
        if first == UInt8(ascii: "{") {
            try read(FlatJSON.parse(bytes))
        } else if let key, let value = FlatJSON.double(Self.trimmed(bytes)) {
            values = [(key, value)]
        } else {
            try readPairs(bytes)
        }
        guard !values.isEmpty else {
            throw LinajeError(.invalidArgument, "line has no value; write KEY=VALUE")
        }
    }

    private mutating func read(_ fields: [(name: String, value: FlatJSON.Value)]) throws {
        var key: String?
        for (name, value) in fields {
            switch (name, value) {
            case ("key", .string(let text)): key = text
            case ("step", _): step = try Self.whole(value.int, "step")
            case ("time_us", _): time = try Self.whole(value.int, "time_us")
            case (_, .null): break
            default:
                guard let number = value.double else {
                    throw LinajeError(.invalidArgument, "value of \"\(name)\" is no number")
                }
                values.append((name, number))
            }
        }
        guard let key else { return }
        guard values.count == 1, values[0].key == "value" else {
            throw LinajeError(
                .invalidArgument, "object with a \"key\" must have a number named \"value\"")
        }
        values[0].key = key
    }

    private mutating func readPairs(_ bytes: [UInt8]) throws {
        for word in bytes.split(whereSeparator: { Self.isSpace($0) || $0 == UInt8(ascii: ",") }) {
            guard let text = String(validating: word, as: UTF8.self) else {
                throw LinajeError(.invalidArgument, "line is no UTF-8")
            }
            guard let equals = text.lastIndex(of: "="), equals != text.startIndex else {
                throw LinajeError(
                    .invalidArgument, "\"\(text.prefix(80))\" is no KEY=VALUE and no JSON object")
            }
            let (name, value) = (text[..<equals], String(text[text.index(after: equals)...]))
            switch name {
            case "step": step = try Self.whole(Int64(value), "step")
            case "time_us": time = try Self.whole(Int64(value), "time_us")
            default:
                guard let number = FlatJSON.double(value) else {
                    throw LinajeError(
                        .invalidArgument, "value \"\(value.prefix(80))\" of \(name) is no number")
                }
                values.append((String(name), number))
            }
        }
    }

    private static func whole(_ number: Int64?, _ noun: String) throws -> Int64 {
        guard let number else {
            throw LinajeError(.invalidArgument, "\(noun) is no whole number")
        }
        return number
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (9...13).contains(byte) }

    private static func trimmed(_ bytes: [UInt8]) -> String {
        let kept = bytes.drop { isSpace($0) }
        let end = kept.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? kept.startIndex
        return String(decoding: kept[..<end], as: UTF8.self)
    }
}
