/// Lines of a requirements.txt by what they are about (PEP 508; names are compared as PEP 503 says).
enum Requirements {
    /// What each package is required as; a line that names none, an option or an address, stands for
    /// itself. Lines of one package with several markers are taken together.
    static func byName(_ lines: [String]) -> [String: String] {
        var found: [String: [String]] = [:]
        for line in lines {
            let bare = trimmed(withoutComment(line))
            guard !bare.isEmpty else { continue }
            let (name, rest) = split(bare)
            found[name, default: []].append(rest)
        }
        return found.mapValues { $0.sorted().joined(separator: " | ") }
    }

    /// A "#" begins a comment at the start of a line and after white space; in an address it is part
    /// of that.
    private static func withoutComment(_ line: String) -> Substring {
        var isAfterSpace = true
        for index in line.indices {
            if line[index] == "#", isAfterSpace { return line[..<index] }
            isAfterSpace = line[index].isWhitespace
        }
        return line[...]
    }

    private static func split(_ line: Substring) -> (name: String, rest: String) {
        let name = line.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
        guard let first = name.first, first != "-", first != "." else {
            return (String(line), "as it is")
        }
        let rest = trimmed(line[name.endIndex...])
        if rest.hasPrefix(":") || rest.hasPrefix("/") || rest.hasPrefix("+") {
            return (String(line), "as it is")
        }
        return (normalized(name), rest.isEmpty ? "any version" : String(rest))
    }

    /// PEP 503: in lower case, runs of "-", "_" and "." as one "-".
    private static func normalized(_ name: Substring) -> String {
        var out = ""
        for character in name.lowercased() {
            if "-_.".contains(character) {
                if out.last != "-" { out.append("-") }
            } else {
                out.append(character)
            }
        }
        return out
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let start = text.drop { $0.isWhitespace }
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return start[...last]
    }
}
