import ArgumentParser
import LinajeDomain

/// How points stand in a file.
///
/// ```
/// csv    run_id,key,step,timestamp,value            a header, then a row for each point
/// jsonl  {"run_id":"…","key":"loss","step":3,"timestamp":1700000000000000,"value":0.5}
/// ```
/// `timestamp` is in microseconds since 1970 UTC. Values have as many digits as tell them from
/// every other, or are NaN, Infinity and -Infinity, which JSON has as texts. Points about a model or
/// data set have `model_id`, `dataset` and `dataset_digest` besides, in CSV for all rows of the file.
enum PointFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case csv, jsonl

    /// What a file's name says; `nil`: nothing.
    init?(fileName: String) {
        switch fileName.split(separator: ".").last?.lowercased() {
        case "csv": self = .csv
        case "jsonl", "ndjson", "json": self = .jsonl
        default: return nil
        }
    }

    /// What the first bytes look like.
    init(beginning: [UInt8]) {
        let first = beginning.first { !" \t\r\n".utf8.contains($0) }
        self = first == UInt8(ascii: "{") ? .jsonl : .csv
    }
}

/// A point of a file.
struct PointRow: Equatable, Sendable {
    /// `nil`: the file does not say.
    var run: RunID?
    var series: MetricSeries
    var point: MetricPoint
}

/// What is wrong with a file, and where: lines and columns count from 1, columns in characters.
func wrongPoint(line: Int, column: Int, _ text: String) -> LinajeError {
    LinajeError(
        .invalidArgument, "line \(line), column \(column): \(text)",
        details: ["line": "\(line)", "column": "\(column)"])
}
