/// Checks of the texts that clients choose. Each returns the text or throws `invalidArgument` (or
/// `limitExceeded`) with the name of the field, the reason and what is allowed.
public enum Names {
    /// A key of a metric, param or tag: 1 to 250 bytes without control characters.
    public static func key(_ text: String, of noun: String) throws -> String {
        try bounded(text, noun: "key of a \(noun)", bytes: Limits.keyBytes)
        guard !text.isEmpty else {
            throw LinajeError(.invalidArgument, "key of a \(noun) is empty; give it a name")
        }
        return try printable(text, noun: "key of a \(noun)")
    }

    /// A name of an experiment, run or data set.
    public static func name(_ text: String, of noun: String) throws -> String {
        try bounded(text, noun: "name of the \(noun)", bytes: Limits.nameBytes)
        guard !text.isEmpty else {
            throw LinajeError(.invalidArgument, "name of the \(noun) is empty; give it one")
        }
        return try printable(text, noun: "name of the \(noun)")
    }

    /// A name of a registered model: as `name`, without "/" and ":", which URIs need, and without
    /// white space at its ends, which nobody can see.
    public static func registeredModel(_ text: String) throws -> String {
        let name = try name(text, of: "registered model")
        guard !name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: ":") })
        else {
            throw LinajeError(
                .invalidArgument, "name of the registered model \"\(name)\" must not hold / or :")
        }
        guard name.first?.isWhitespace == false, name.last?.isWhitespace == false,
            name != ".", name != ".."
        else {
            throw LinajeError(
                .invalidArgument,
                "name of the registered model \"\(name)\" must not begin or end with a space, "
                    + "nor be . or ..")
        }
        return name
    }

    /// An alias: letters, digits, "_" and "-"; not "latest", not "v" and digits, which URIs use.
    public static func alias(_ text: String) throws -> String {
        try bounded(text, noun: "alias", bytes: Limits.aliasBytes)
        let isWord = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isWord, !text.isEmpty else {
            throw LinajeError(
                .invalidArgument,
                "alias \"\(text)\" may only hold letters, digits, \"_\" and \"-\"")
        }
        let lower = text.lowercased()
        let afterV = lower.dropFirst()
        guard lower != "latest",
            !(lower.first == "v" && !afterV.isEmpty && afterV.allSatisfy(\.isWholeNumber))
        else {
            throw LinajeError(
                .invalidArgument,
                "alias \"\(text)\" is reserved; choose one that is not \"latest\" or \"v1\"")
        }
        return text
    }

    /// A name of a logged model: as `name`, without / : . % and quotes.
    public static func loggedModel(_ text: String) throws -> String {
        let name = try name(text, of: "logged model")
        guard !name.contains(where: { "/:.%\"'".contains($0) }) else {
            throw LinajeError(
                .invalidArgument,
                "name of the logged model \"\(name)\" must not hold / : . % \" or '")
        }
        return name
    }

    /// Free text: a description, a comment.
    public static func text(_ text: String, of noun: String) throws -> String {
        try bounded(text, noun: noun, bytes: Limits.textBytes)
        return text
    }

    /// The value of a tag.
    public static func tagValue(_ text: String, key: String) throws -> String {
        try bounded(text, noun: "value of tag \"\(key)\"", bytes: Limits.tagValueBytes)
        return text
    }

    private static func bounded(_ text: String, noun: String, bytes: Int) throws {
        guard text.utf8.count <= bytes else {
            throw LinajeError(
                .limitExceeded,
                "\(noun) has \(text.utf8.count) bytes; at most \(bytes) are allowed")
        }
    }

    private static func printable(_ text: String, noun: String) throws -> String {
        guard text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else {
            throw LinajeError(.invalidArgument, "\(noun) holds a control character; remove it")
        }
        return text
    }
}
