import LinajeClient
import LinajeDomain

/// Writes points in a format, see `PointFormat`.
struct PointWriter {
    private let format: PointFormat
    /// Whether rows of CSV say what points are about.
    private let hasSubjects: Bool

    init(_ format: PointFormat, hasSubjects: Bool) {
        self.format = format
        self.hasSubjects = hasSubjects
    }

    /// What a file begins with.
    var header: [UInt8] {
        guard format == .csv else { return [] }
        let subjects = hasSubjects ? ",model_id,dataset,dataset_digest" : ""
        return Array("run_id,key,step,timestamp,value\(subjects)\n".utf8)
    }

    /// Whether nothing of a series would be left out.
    func canHold(_ series: MetricSeries) -> Bool {
        format == .jsonl || hasSubjects || !series.isAboutSomething
    }

    /// The points of a run, each on its line.
    func lines(_ chunk: MetricChunk, of run: RunID) -> [UInt8] {
        let (before, marks, after) = frame(chunk.series, run)
        var out: [UInt8] = []
        out.reserveCapacity(chunk.columns.count * (before.count + after.count + 40))
        for place in 0..<chunk.columns.count {
            let point = chunk.columns[place]
            out += before
            out += "\(point.step)".utf8
            out += marks.time
            out += "\(point.time)".utf8
            out += marks.value
            append(point.value, to: &out)
            out += after
        }
        return out
    }

    /// What is the same on all lines of a series.
    private func frame(
        _ series: MetricSeries, _ run: RunID
    ) -> (before: [UInt8], marks: (time: [UInt8], value: [UInt8]), after: [UInt8]) {
        let subjects = series.jsonFields
        switch format {
        case .csv:
            var after = ""
            if hasSubjects {
                for (_, value) in subjects {
                    after += ","
                    if case .string(let text) = value { after += Self.quoted(text) }
                }
            }
            let comma = Array(",".utf8)
            return (
                Array("\(run),\(Self.quoted(series.key)),".utf8), (comma, comma),
                Array((after + "\n").utf8)
            )
        case .jsonl:
            let key = JSONValue.string(series.key).text
            var after = ""
            for case (let name, .string(let text)) in subjects {
                after += ",\"\(name)\":\(JSONValue.string(text).text)"
            }
            return (
                Array("{\"run_id\":\"\(run)\",\"key\":\(key),\"step\":".utf8),
                (Array(",\"timestamp\":".utf8), Array(",\"value\":".utf8)),
                Array((after + "}\n").utf8)
            )
        }
    }

    private func append(_ value: Double, to out: inout [UInt8]) {
        guard value.isFinite || format == .csv else {
            out += JSONValue.double(value).text.utf8
            return
        }
        guard value.isFinite else {
            out += (value.isNaN ? "NaN" : value > 0 ? "Infinity" : "-Infinity").utf8
            return
        }
        out += "\(value)".utf8
    }

    /// A field of CSV as RFC 4180 has it.
    private static func quoted(_ text: String) -> String {
        guard text.utf8.contains(where: { "\",\r\n".utf8.contains($0) }) else { return text }
        return "\""
            + text.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\"\"") + "\""
    }
}
