import LinajeCatalog
import LinajeDomain

/// A run with everything that a filter may ask of it, as plain values.
struct SearchedRun: Sendable {
    var run: Run
    var createdAt: Timestamp
}

/// Says by itself, without a database, which runs a filter finds and in which order.
struct SearchEvaluator {
    func passes(_ filter: Filter, _ searched: SearchedRun) -> Bool {
        switch filter {
        case .all(let parts): parts.allSatisfy { passes($0, searched) }
        case .any(let parts): parts.contains { passes($0, searched) }
        case .not(let part): !passes(part, searched)
        case .test(let field, let test): passes(field, test, searched)
        }
    }

    private enum Value {
        case number(Double)
        case integer(Int64)
        case text(String)
        case param(ParamValue)
        case time(Int64)
    }

    private func passes(_ field: SearchField, _ test: FilterTest, _ searched: SearchedRun) -> Bool {
        let values = values(field, searched)
        if case .isNull(let isNegated) = test { return values.isEmpty != isNegated }
        return values.contains { passes($0, test) }
    }

    private func values(_ field: SearchField, _ searched: SearchedRun) -> [Value] {
        let run = searched.run
        switch field {
        case .metric(let key):
            return run.metrics.filter { $0.key == key }.map { .number($0.value) }
        case .param(let key):
            return run.params.filter { $0.key == key }.map { .param($0.value) }
        case .tag(let key): return run.tags.filter { $0.key == key }.map { .text($0.value) }
        case .dataset(let attribute):
            return run.datasets.map { dataset in
                switch attribute {
                case .name: .text(dataset.name)
                case .context: .text(dataset.context)
                case .source: .text(dataset.source)
                case .sourceType: .text(dataset.sourceType)
                case .digest:
                    .text(
                        dataset.clientDigest.isEmpty
                            ? dataset.digests.first.map { "\($0)" } ?? "" : dataset.clientDigest)
                }
            }
        case .attribute(let attribute): return value(attribute, searched).map { [$0] } ?? []
        }
    }

    private func value(_ attribute: SearchAttribute, _ searched: SearchedRun) -> Value? {
        let run = searched.run
        return switch attribute {
        case .runID: .text("\(run.id)")
        case .name: .text(run.name)
        case .status: .text(run.status.rawValue)
        case .user: .text(run.user)
        case .artifactURI: .text("runs:/\(run.id)")
        case .startedAt: .time(run.startedAt.microseconds)
        case .endedAt: run.endedAt.map { .time($0.microseconds) }
        case .createdAt: .time(searched.createdAt.microseconds)
        case .endedCause: .text(run.endedCause)
        case .experimentID: .integer(run.experimentID)
        case .lifecycle: .text(run.lifecycle.rawValue)
        case .parentID: run.parentID.map { .text("\($0)") }
        case .principal: .text(run.principal)
        default: nil
        }
    }

    private func passes(_ value: Value, _ test: FilterTest) -> Bool {
        switch test {
        case .compare(let comparison, let literal): compare(value, comparison, literal)
        case .oneOf(let literals, let isNegated):
            literals.contains { compare(value, .equal, $0) } != isNegated
        case .like(let pattern, let ignoresCase, let isNegated):
            like(text(value), pattern, ignoresCase) != isNegated
        case .isNull: false
        }
    }

    private func text(_ value: Value) -> String {
        switch value {
        case .text(let text): text
        case .param(let param): "\(param)"
        case .integer(let number): "\(number)"
        case .number, .time: ""
        }
    }

    private func compare(
        _ value: Value, _ comparison: FilterComparison, _ literal: FilterLiteral
    ) -> Bool {
        switch (value, literal) {
        case (.number(let value), .number(let literal)) where literal.isNaN:
            comparison == .equal ? value.isNaN : comparison == .notEqual && !value.isNaN
        case (.number(let value), .number(let literal)): holds(comparison, value, literal)
        case (.integer(let value), .integer(let literal)): holds(comparison, value, literal)
        case (.integer(let value), .number(let literal)):
            holds(comparison, Double(value), literal)
        case (.param(let param), .number(let literal)): compare(param, comparison, literal)
        case (.time(let value), .time(let range)):
            switch comparison {
            case .equal: range.contains(value)
            case .notEqual: !range.contains(value)
            case .less: value < range.lowerBound
            case .lessOrEqual: value <= range.upperBound
            case .greater: value > range.upperBound
            case .greaterOrEqual: value >= range.lowerBound
            }
        case (_, .text(let literal)):
            holds(comparison, Bytes(text(value)), Bytes(literal))
        default: false
        }
    }

    private func compare(
        _ param: ParamValue, _ comparison: FilterComparison, _ literal: Double
    ) -> Bool {
        let number: Double? =
            switch param {
            case .int(let number): Double(number)
            case .double(let number) where number.isFinite: number
            default: nil
            }
        return number.map { holds(comparison, $0, literal) } ?? false
    }

    private func holds<Value: Comparable>(
        _ comparison: FilterComparison, _ left: Value, _ right: Value
    ) -> Bool {
        switch comparison {
        case .equal: left == right
        case .notEqual: left != right
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        }
    }

    private func like(_ text: String, _ pattern: String, _ ignoresCase: Bool) -> Bool {
        func scalars(_ text: String) -> [UInt32] {
            text.unicodeScalars.map { scalar in
                ignoresCase && ("A"..."Z").contains(scalar) ? scalar.value + 32 : scalar.value
            }
        }
        let (text, pattern) = (scalars(text), scalars(pattern))
        // reachable[i]: the pattern so far matches the first i scalars.
        var reachable = [true] + text.map { _ in false }
        for mark in pattern {
            var next = reachable.map { _ in false }
            for index in reachable.indices {
                if mark == 0x25 {
                    next[index] = reachable[index] || (index > 0 && next[index - 1])
                } else if index > 0, mark == 0x5F || mark == text[index - 1] {
                    next[index] = reachable[index - 1]
                }
            }
            reachable = next
        }
        return reachable[text.count]
    }

    // MARK: Order

    /// Whether a run stands before another one: by the keys, then the newest, then the highest id.
    func isBefore(_ left: SearchedRun, _ right: SearchedRun, _ keys: [SortKey]) -> Bool {
        for key in keys {
            let (first, second) = (rank(key.field, left), rank(key.field, right))
            guard first.rank == second.rank else { return first.rank < second.rank }
            guard let one = first.value, let other = second.value, one != other else { continue }
            return (one < other) != key.isDescending
        }
        if left.run.startedAt != right.run.startedAt {
            return left.run.startedAt > right.run.startedAt
        }
        return Bytes("\(left.run.id)") > Bytes("\(right.run.id)")
    }

    /// 0 with a value, 1 for NaN, 2 where it is missing.
    private func rank(_ field: SearchField, _ run: SearchedRun) -> (rank: Int, value: Order?) {
        switch values(field, run).first {
        case nil: (2, nil)
        case .number(let number): number.isNaN ? (1, nil) : (0, .number(number))
        case .integer(let number), .time(let number): (0, .number(Double(number)))
        case .text(let text): (0, .text(Bytes(String(text.prefix(200)))))
        case .param(let param): (0, .text(Bytes("\(param)")))
        }
    }

    private enum Order: Comparable {
        case number(Double)
        case text(Bytes)
    }

    /// A text that compares by its bytes.
    private struct Bytes: Comparable {
        let bytes: [UInt8]

        init(_ text: String) { bytes = Array(text.utf8) }

        static func < (left: Bytes, right: Bytes) -> Bool {
            left.bytes.lexicographicallyPrecedes(right.bytes)
        }
    }
}
