import LinajeDomain
import LinajePluginKit
import Yams

/// A small YAML document from an untrusted file, within bounds.
///
/// Anchors and aliases are refused: a few lines of them stand for billions of nodes, and no tool
/// that writes MLmodel files needs them. So is what libraries read differently (`YAMLAmbiguity`).
struct YAMLTree {
    /// Most facts taken from one document.
    static let mostFacts = 2_000
    /// Most facts of one flavor, and of the model as a whole, which go with one of them: together
    /// fewer than a description keeps of a flavor.
    static let mostPartFacts = ModelDescription.Bounds.facts / 2 - 50
    /// Most bytes of all facts: fewer than a description keeps.
    static let mostBytes = ModelDescription.Bounds.partBytes / 2
    /// Longest fact in bytes.
    static let mostFactBytes = 8_192
    /// Longest fact in bytes of those that are never left out.
    static let mostDecidingBytes = 500
    /// Deepest map that is taken apart.
    static let mostDepth = 16
    /// Deepest nesting of the document.
    static let mostNesting = 200

    let root: Node
    /// How many facts `flatten` had to leave out.
    private(set) var omitted = 0
    private var taken = 0
    private var bytes = 0

    /// - Throws: `invalidArgument` naming the document.
    init(parsing bytes: [UInt8], name: String) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw LinajeError(.invalidArgument, "\(name) is not UTF-8")
        }
        try Self.refuseAliases(bytes, name: name)
        try Self.refuseNesting(bytes, name: name)
        do {
            guard let root = try compose(yaml: text) else {
                throw LinajeError(.invalidArgument, "\(name) is empty")
            }
            try YAMLAmbiguity.refuse(root, name: name)
            self.root = root
        } catch let error as LinajeError {
            throw error
        } catch {
            let reason = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
            throw LinajeError(
                .invalidArgument, "\(name) is no YAML: \(String(reason.prefix(300)))")
        }
    }

    /// Whether a value is written as nothing.
    static func isNull(_ node: Node) -> Bool {
        guard let scalar = node.scalar, scalar.style == .plain || scalar.style == .any,
            ["", Yams.Tag.Name.null.rawValue].contains(scalar.tag.rawValue)
        else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// Adds what `node` says to `facts`: a scalar under `key`, the parts of a map under
    /// "key.part", a list as JSON.
    mutating func flatten(
        _ node: Node, as key: String, into facts: inout [String: String], depth: Int = 0
    ) {
        if let members = node.mapping, depth < Self.mostDepth {
            for (name, member) in members {
                flatten(
                    member, as: "\(key).\(name.string ?? "?")", into: &facts, depth: depth + 1)
            }
            return
        }
        guard taken < Self.mostFacts, facts.count < Self.mostPartFacts, bytes < Self.mostBytes,
            key.utf8.count <= Limits.nameBytes, let text = Self.text(node, room: Self.mostFactBytes)
        else {
            omitted += 1
            return
        }
        taken += 1
        bytes += key.utf8.count + text.utf8.count
        facts[key] = text
    }

    /// What `node` says, for what must not be left out: what is too long is cut short.
    static func deciding(_ node: Node) -> String {
        if let text = text(node, room: mostDecidingBytes) { return text }
        let start = node.scalar.map { $0.string.utf8.prefix(mostDecidingBytes) }
        return String(decoding: start ?? "".utf8.prefix(0), as: UTF8.self) + "…"
    }

    /// A scalar as it is written, anything else as JSON of texts; `nil` when it is too long. A text
    /// "null" has its quotes: without them it is nothing.
    private static func text(_ node: Node, room: Int) -> String? {
        if let scalar = node.scalar {
            guard scalar.string.utf8.count <= room else { return nil }
            if isNull(node) { return "null" }
            return scalar.string == "null" ? quoted(scalar.string) : scalar.string
        }
        var out = ""
        guard appendJSON(of: node, to: &out, room: room, depth: 0) else { return nil }
        return out
    }

    private static func appendJSON(
        of node: Node, to out: inout String, room: Int, depth: Int
    ) -> Bool {
        guard out.utf8.count <= room, depth <= mostDepth else { return false }
        if let sequence = node.sequence {
            out += "["
            for (index, element) in sequence.enumerated() {
                if index > 0 { out += "," }
                guard appendJSON(of: element, to: &out, room: room, depth: depth + 1) else {
                    return false
                }
            }
            out += "]"
        } else if let members = node.mapping {
            out += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { out += "," }
                out += quoted(member.key.string ?? "?") + ":"
                guard appendJSON(of: member.value, to: &out, room: room, depth: depth + 1) else {
                    return false
                }
            }
            out += "}"
        } else if isNull(node) {
            out += "null"
        } else {
            out += quoted(node.string ?? "")
        }
        return out.utf8.count <= room
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case _ where scalar.value < 0x20: out += "\\u00" + Hex.encode([UInt8(scalar.value)])
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    /// Refuses a document that has both something that could be an anchor and something that could
    /// be an alias of the same name. The parser would resolve them before they can be counted.
    private static func refuseAliases(_ bytes: [UInt8], name: String) throws {
        let anchors = markers(UInt8(ascii: "&"), in: bytes)
        guard !anchors.isEmpty else { return }
        guard markers(UInt8(ascii: "*"), in: bytes).isDisjoint(with: anchors) else {
            throw LinajeError(
                .invalidArgument, "\(name) uses YAML anchors and aliases; write it without")
        }
    }

    /// The names after each `mark` that stands where a value may begin.
    private static func markers(_ mark: UInt8, in bytes: [UInt8]) -> Set<[UInt8]> {
        var out: Set<[UInt8]> = []
        let before: Set<UInt8> = Set(" \t\r\n[{,:-?!\u{FEFF}".utf8)
        for (index, byte) in bytes.enumerated() where byte == mark {
            // Also after other bytes of a multi-byte space: being too strict costs nothing.
            if index > 0, !before.contains(bytes[index - 1]), bytes[index - 1] < 0x80 { continue }
            let name = bytes[(index + 1)...].prefix(256).prefix { isNameByte($0) }
            if !name.isEmpty { out.insert(Array(name)) }
        }
        return out
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// Refuses nesting that would exhaust the stack of the parser's callers. Brackets and dashes
    /// are counted generously, wherever they stand.
    private static func refuseNesting(_ bytes: [UInt8], name: String) throws {
        var flow = 0
        var indent = 0
        var line = 0
        var isLeading = true
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\n"):
                line = 0
                isLeading = true
                indent = 0
            case UInt8(ascii: "["), UInt8(ascii: "{"): flow += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): flow = max(0, flow - 1)
            case UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "?"):
                if isLeading { line += 1 }
            default: isLeading = false
            }
            indent = max(indent, line)
            guard flow <= mostNesting, indent <= 4 * mostNesting else {
                throw LinajeError(
                    .invalidArgument,
                    "\(name) is nested or indented too deep; at most \(mostNesting) levels are read"
                )
            }
        }
    }
}
