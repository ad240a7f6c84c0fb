import LinajeDomain

/// The records of a JSON lines file: each line is an object whose numbers are measurements.
///
/// ```
/// {"step": 3, "time": 1700000000.5, "loss": 0.5, "val": {"acc": 0.9}}    loss, val/acc
/// ```
/// Step: `step`, `_step` or `global_step`; a line without one counts on. Time: `time_us` in
/// microseconds, or `time`, `timestamp` or `_timestamp` in seconds since 1970; a line without one has
/// the time at which it was read. What else is no number is counted and ignored.
package struct JSONLinesGrammar: RecordGrammar {
    package static let name = "jsonl/1"

    private static let stepNames: Set<String> = ["step", "_step", "global_step"]
    private static let timeNames: Set<String> = ["time", "timestamp", "_timestamp"]

    /// The step of a next line that has none.
    private var nextStep: Int64 = 0
    /// The front of a line that is too long is gone: the rest is passed over, too.
    private var isInLongLine = false

    package init() {}

    /// An object is a record as soon as it is closed, whether its line has ended or not: what comes
    /// later cannot change it. What is no object ends with its line.
    package mutating func cut(_ bytes: ArraySlice<UInt8>) -> RecordCut {
        guard let first = bytes.first else { return .incomplete(needs: 1) }
        if " \t\r\n".utf8.contains(first), !isInLongLine {
            let blank = bytes.prefix { " \t\r\n".utf8.contains($0) }
            return .record(bytes: blank.count, FollowedRecord())
        }
        let end = bytes.firstIndex(of: 0x0A)
        let line = bytes[..<(end ?? bytes.endIndex)]
        if isInLongLine {
            isInLongLine = end == nil
            return .record(bytes: line.count + (end == nil ? 0 : 1), FollowedRecord())
        }
        do {
            let object = try JSONLine.object(atFrontOf: line.prefix(AgentLimits.lineBytes))
            return .record(bytes: object.bytes, record(object.fields))
        } catch {
            if line.count > AgentLimits.lineBytes {
                isInLongLine = end == nil
                return .record(
                    bytes: line.count,
                    FollowedRecord(problem: "is longer than \(AgentLimits.lineBytes) bytes"))
            }
            guard end != nil else { return .incomplete(needs: bytes.count + 1) }
            return .record(bytes: line.count + 1, FollowedRecord(problem: error.reason))
        }
    }

    private mutating func record(
        _ fields: [(path: String, value: JSONLine.Value)]
    ) -> FollowedRecord {
        var record = FollowedRecord()
        var step: Int64?
        var time: Int64?
        var values: [(String, Double)] = []
        for (path, value) in fields {
            if Self.stepNames.contains(path), let whole = Self.whole(value) {
                step = step ?? whole
            } else if path == "time_us", let whole = Self.whole(value) {
                time = whole
            } else if Self.timeNames.contains(path) {
                time = time ?? JSONLine.double(value).flatMap(TensorBoardGrammar.microseconds)
            } else if let number = JSONLine.double(value),
                let key = try? Names.key(path, of: "metric")
            {
                values.append((key, number))
            } else {
                record.ignored += 1
            }
        }
        guard !values.isEmpty else { return record }
        let ownStep = step ?? nextStep
        nextStep = ownStep &+ 1
        record.points = values.map {
            FollowedPoint(key: $0.0, step: ownStep, time: time, value: $0.1)
        }
        return record
    }

    private static func whole(_ value: JSONLine.Value) -> Int64? {
        guard case .number(let text) = value else { return nil }
        return Int64(text) ?? Double(text).flatMap { Int64(exactly: $0) }
    }
}
