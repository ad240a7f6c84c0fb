import LinajeClient
import LinajeDomain

/// Shows what a policy would do or does: item by item, then the sum.
struct RetentionView {
    let options: GlobalOptions
    let isPlan: Bool

    init(_ options: GlobalOptions, isPlan: Bool) {
        self.options = options
        self.isPlan = isPlan
    }

    /// - Returns: the sum.
    func show(_ reading: RetentionReading) async throws -> RetentionSum? {
        var last: RetentionSum?
        for try await news in reading {
            switch news {
            case .item(let line): Output.line(options.json ? json(line).text : text(line))
            case .sum(let sum):
                last = sum
                Output.line(options.json ? json(sum).text : text(sum))
            }
        }
        return last
    }

    private func text(_ line: RetentionLine) -> String {
        let value = line.value.map { ", \(Rendering.number($0))" } ?? ""
        let what = "\(printable(line.name))  step \(line.step)\(value), \(ByteCount(line.size))"
        let why = line.reasons.map { printable($0) }.joined(separator: "; ")
        guard !line.isKept else { return "kept   \(what): \(why)" }
        return "\(isPlan ? "to go" : "gone ")  \(what), frees \(ByteCount(line.freed)): \(why)"
    }

    private func text(_ sum: RetentionSum) -> String {
        let would = sum.isApplied ? "" : "would be "
        return "\(Rendering.grouped(sum.freed)) \(would)let go of, \(ByteCount(sum.freedBytes)); "
            + "\(Rendering.grouped(sum.kept)) kept, \(ByteCount(sum.keptBytes)); plan \(sum.plan)"
    }

    private func json(_ line: RetentionLine) -> JSONValue {
        .object(
            [
                ("item", .string(line.name)), ("kept", .bool(line.isKept)),
                ("reasons", .strings(line.reasons)), ("size", .uint(line.size)),
                ("freed_bytes", .uint(line.freed)), ("step", .int(line.step)),
                ("value", line.value.map { .double($0) } ?? .null),
                ("trees", .strings(line.trees.map(\.description))),
            ] + JSONValue.time("created_at", line.createdAt))
    }

    private func json(_ sum: RetentionSum) -> JSONValue {
        .object([
            ("plan", .string("\(sum.plan)")), ("applied", .bool(sum.isApplied)),
            ("kept", .uint(sum.kept)), ("kept_bytes", .uint(sum.keptBytes)),
            ("freed", .uint(sum.freed)), ("freed_bytes", .uint(sum.freedBytes)),
        ])
    }
}
