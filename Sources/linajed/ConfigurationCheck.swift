import LinajeDomain
import TOMLKit

/// Says in the words of the file what `DaemonConfiguration` cannot take: keys that do not exist, and
/// values of another type. The sections and keys are those of `DaemonConfiguration` itself.
struct ConfigurationCheck {
    /// What a value may be.
    private indirect enum Kind {
        case text, number, truth, texts
        /// Any key with such a value.
        case table(Kind)

        /// - Parameter type: of a property of a section; `nil`: none that a configuration has.
        init?(_ type: any Any.Type) {
            if type == String?.self {
                self = .text
            } else if type == Int?.self {
                self = .number
            } else if type == Bool?.self {
                self = .truth
            } else if type == [String]?.self {
                self = .texts
            } else if type == [String: String]?.self {
                self = .table(.text)
            } else if type == [String: [String]]?.self {
                self = .table(.texts)
            } else {
                return nil
            }
        }
    }

    /// Values of keys whose type is easily mistaken.
    private static let examples = [
        "gc_grace": "\"7d\"", "gc_interval": "\"1d\"", "scrub_interval": "\"30d\"",
        "socket_mode": "\"0660\"", "http_socket_mode": "\"0660\"", "log_level": "\"info\"",
        "log_bytes": "1073741824", "cache_bytes": "10737418240", "queue_bytes": "67108864",
        "memory_bytes": "1073741824", "part_bytes": "8388608",
        "scrub_bytes_per_second": "8388608",
    ]

    /// Section to key to what its value may be.
    private let sections: [String: [String: Kind]]

    init() {
        var sections: [String: [String: Kind]] = [:]
        for section in Mirror(reflecting: DaemonConfiguration()).children {
            guard let name = section.label else { continue }
            var keys: [String: Kind] = [:]
            for key in Mirror(reflecting: section.value).children {
                guard let label = key.label, let kind = Kind(type(of: key.value)) else { continue }
                keys[label] = kind
            }
            sections[name] = keys
        }
        self.sections = sections
    }

    /// What is wrong with a file, each thing with its section; empty: nothing of this kind.
    func problems(in file: TOMLTable) -> [String] {
        var found: [String] = []
        for name in file.keys {
            guard let keys = sections[name] else {
                found.append(noSection(name))
                continue
            }
            guard let section = file[name]?.table else {
                found.append("\(name) is a section: write [\(name)] and its keys below it")
                continue
            }
            for key in section.keys {
                guard let value = section[key] else { continue }
                if let kind = keys[key] {
                    found += Self.problems(of: value, kind, in: name, key)
                } else {
                    found.append(noKey(key, in: name, keys))
                }
            }
        }
        return found
    }

    // MARK: Names

    private func noSection(_ name: String) -> String {
        if let home = home(of: name) { return "\(name) belongs below [\(home)]" }
        let meant = NearestName.of(name, among: sections.keys.sorted())
        return "there is no section [\(name.prefix(80))]"
            + (meant.map { "; did you mean [\($0)]?" } ?? "; remove it")
    }

    private func noKey(_ key: String, in section: String, _ keys: [String: Kind]) -> String {
        let lacking = "[\(section)] has no key \(key.prefix(80))"
        if let meant = NearestName.of(key, among: keys.keys.sorted()) {
            return "\(lacking); did you mean \(meant)?"
        }
        if let home = home(of: key) { return "\(lacking); it belongs below [\(home)]" }
        return "\(lacking); remove it"
    }

    /// The section that has a key; `nil`: none.
    private func home(of key: String) -> String? {
        sections.keys.sorted().first { sections[$0]?[key] != nil }
    }

    // MARK: Types

    private static func problems(
        of value: any TOMLValueConvertible, _ kind: Kind, in section: String, _ key: String
    ) -> [String] {
        let what: String
        switch kind {
        case .table(let kind):
            guard let table = value.table else {
                let name = "\(section).\(key)"
                return ["\(name) is a section: write [\(name)] and its keys below it"]
            }
            return table.keys.flatMap { name in
                table[name].map { problems(of: $0, kind, in: "\(section).\(key)", name) } ?? []
            }
        case .text:
            guard value.type != .string else { return [] }
            what = examples[key].map { "a text such as \($0)" } ?? "a text in quotes"
        case .number:
            guard value.type != .int else { return [] }
            what = "a whole number" + (examples[key].map { " such as \($0)" } ?? "")
        case .truth:
            guard value.type != .bool else { return [] }
            what = "true or false"
        case .texts:
            if let list = value.array {
                guard let wrong = list.first(where: { $0.type != .string }) else { return [] }
                return [
                    "[\(section)] \(key) must be a list of texts; it has \(Self.name(wrong.type))"
                ]
            }
            what = "a list of texts such as [\"…\"]"
        }
        return ["[\(section)] \(key) must be \(what); it is \(name(value.type))"]
    }

    private static func name(_ type: TOMLType) -> String {
        switch type {
        case .table: "a section"
        case .array: "a list"
        case .string: "a text"
        case .int: "a whole number"
        case .double: "a number with a fraction"
        case .bool: "true or false"
        case .date, .time, .dateTime: "a date or time"
        }
    }
}
