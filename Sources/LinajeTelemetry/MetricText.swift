/// Writes the Prometheus text format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
struct MetricText {
    /// What stands behind a series.
    enum Value {
        case whole(UInt64)
        case number(Double)
        case histogram(HistogramSnapshot)

        /// Whether nothing has happened yet.
        var isZero: Bool {
            switch self {
            case .whole(let count): count == 0
            case .number(let number): number == 0
            case .histogram(let histogram): histogram.count == 0
            }
        }
    }

    private(set) var out = ""

    /// The lines before the series of a family.
    mutating func begin(_ family: MetricFamily) {
        if !family.help.isEmpty {
            out += "# HELP \(family.name) \(Self.escaped(family.help, quotes: false))\n"
        }
        out += "# TYPE \(family.name) \(family.kind.word)\n"
    }

    mutating func add(_ name: String, _ labels: [MetricLabel], _ value: Value) {
        switch value {
        case .whole(let count): line(name, labels, String(count))
        case .number(let number): line(name, labels, Self.number(number))
        case .histogram(let histogram):
            let scale = Double(histogram.buckets.ticksPerUnit)
            for (bound, count) in zip(histogram.buckets.bounds, histogram.cumulative) {
                let le = MetricLabel("le", Self.number(Double(bound) / scale))
                line(name + "_bucket", labels + [le], String(count))
            }
            // The total is that of the buckets, so that the last two always agree.
            let count = String(histogram.count)
            line(name + "_bucket", labels + [MetricLabel("le", "+Inf")], count)
            line(name + "_sum", labels, Self.number(Double(histogram.sum) / scale))
            line(name + "_count", labels, count)
        }
    }

    private mutating func line(_ name: String, _ labels: [MetricLabel], _ value: String) {
        out += name
        if !labels.isEmpty {
            out += "{"
            for (index, label) in labels.enumerated() {
                if index > 0 { out += "," }
                out += "\(label.name)=\"\(Self.escaped(label.value, quotes: true))\""
            }
            out += "}"
        }
        out += " \(value)\n"
    }

    // MARK: Names and numbers

    /// A name of the format: letters, digits, "_" and ":"; everything else becomes "_".
    static func name(_ text: String, suffix: String = "") -> String {
        let name = legal(text, colons: true)
        return name.hasSuffix(suffix) ? name : name + suffix
    }

    /// Labels in the order of their names, each name once (the last one given holds), none named
    /// "le", which belongs to buckets.
    static func labels(_ dimensions: [(String, String)]) -> [MetricLabel] {
        var values: [String: String] = [:]
        for (name, value) in dimensions {
            let name = legal(name, colons: false)
            values[name == "le" ? "le_" : name] = value
        }
        return values.sorted { $0.key < $1.key }.map { MetricLabel($0.key, $0.value) }
    }

    static func isOrdered(_ left: [MetricLabel], before right: [MetricLabel]) -> Bool {
        for (left, right) in zip(left, right) where left != right {
            return (left.name, left.value) < (right.name, right.value)
        }
        return left.count < right.count
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return "\(value)"
    }

    private static func legal(_ text: String, colons: Bool) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": out.unicodeScalars.append(scalar)
            case "0"..."9":
                if out.isEmpty { out = "_" }
                out.unicodeScalars.append(scalar)
            case ":" where colons: out.unicodeScalars.append(scalar)
            default: out += "_"
            }
        }
        return out.isEmpty ? "_" : out
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\"" where quotes: out += "\\\""
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}

extension MetricFamily.Kind {
    /// The kind as the format names it.
    var word: String {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        case .histogram: "histogram"
        }
    }
}
