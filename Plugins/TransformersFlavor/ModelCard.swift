/// The fields at the beginning of a model card (huggingface.co/docs/hub, "Model Cards"): YAML
/// between two lines of "---".
///
/// Only what cards are made of is read: texts and lists of texts at the outermost level. Everything
/// deeper, evaluation results above all, is passed over.
struct ModelCard {
    /// Fields that are kept.
    static let keys: Set<String> = [
        "license", "license_name", "license_link", "base_model", "base_model_relation", "datasets",
        "language", "tags", "library_name", "pipeline_tag", "metrics", "thumbnail", "inference",
    ]
    /// Most lines that are read.
    static let mostLines = 4_000
    /// Most values of one field.
    static let mostValues = 1_000

    /// The values by field.
    private(set) var fields: [String: [String]] = [:]

    /// Never fails: a card without fields has none.
    init(parsing bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        guard let first = lines.first, Self.trimmed(first) == "---" else { return }
        var field = ""
        for line in lines.dropFirst().prefix(Self.mostLines) {
            let trimmed = Self.trimmed(line)
            if trimmed == "---" { return }
            if trimmed.isEmpty || trimmed.hasPrefix("#") { continue }
            if let item = Self.item(line) {
                add(item, to: field)
            } else if line.first?.isWhitespace == false {
                field = begin(trimmed)
            } else {
                // Something nested: what follows belongs to no field that is kept.
                field = line.contains(":") ? "" : field
            }
        }
        // Without its end it is no front matter.
        fields = [:]
    }

    /// Takes in "key: value" and returns the key when a list may follow.
    private mutating func begin(_ line: Substring) -> String {
        guard let colon = line.firstIndex(of: ":") else { return "" }
        let key = String(line[..<colon])
        guard Self.keys.contains(key) else { return "" }
        var value = Self.trimmed(line[line.index(after: colon)...])
        if value.hasPrefix("["), value.hasSuffix("]") {
            value = value.dropFirst().dropLast()
            for part in value.split(separator: ",") { add(Self.unquoted(part), to: key) }
            return ""
        }
        if ["", "|", ">", ">-", "|-", "null", "~"].contains(value) { return key }
        add(Self.unquoted(value), to: key)
        return ""
    }

    private mutating func add(_ value: String, to key: String) {
        guard !key.isEmpty, !value.isEmpty, fields[key, default: []].count < Self.mostValues else {
            return
        }
        fields[key, default: []].append(value)
    }

    /// The text of a line "- text", at most as deep as a list of the outermost level.
    private static func item(_ line: Substring) -> String? {
        let text = line.drop { $0 == " " }
        guard line.count - text.count <= 4, text.hasPrefix("- ") else { return nil }
        let value = text.dropFirst(2)
        // A map in a list is no text.
        guard value.firstRange(of: ": ") == nil else { return "" }
        return unquoted(value)
    }

    private static func unquoted(_ text: Substring) -> String {
        var text = trimmed(text)
        if let quote = text.first, quote == "\"" || quote == "'" {
            let inner = text.dropFirst()
            guard let end = inner.firstIndex(of: quote) else { return String(inner) }
            return String(inner[..<end])
        }
        if let comment = text.firstRange(of: " #") { text = trimmed(text[..<comment.lowerBound]) }
        return String(text)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
