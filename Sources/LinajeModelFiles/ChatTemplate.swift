/// Chat templates: Jinja programs inside model files that loaders run.
package enum ChatTemplate {
    /// The first thing in a template by which Jinja gets out of its sandbox, as far as its text can
    /// tell: Python's own attributes, and the ways to write them in pieces.
    ///
    /// Names between double underscores alone are none: special tokens are written like that too.
    package static func suspicious(in template: String) -> String? {
        let bytes = Array(template.utf8)
        return (attributes + pieces).first { ByteSearch.contains($0, in: bytes) }
            ?? dotted(in: bytes)
    }

    /// Attributes by which Python objects lead to code (docs.python.org, "Data model").
    private static let attributes = [
        "__class__", "__mro__", "__base__", "__bases__", "__subclasses__", "__globals__",
        "__builtins__", "__import__", "__getattribute__", "__dict__", "__reduce__", "__code__",
        "__init__", "__self__", "__func__", "__closure__", "__loader__", "__spec__",
    ]

    /// How they are written so that they are not found.
    private static let pieces = ["|attr", "| attr", "\\x5f", "\\u005f", "_TemplateReference"]

    /// An attribute that begins with two underscores: ".__anything".
    private static func dotted(in bytes: [UInt8]) -> String? {
        var from = 0
        while let index = ByteSearch.first(".__", in: bytes, from: from) {
            let name = bytes[(index + 1)...].prefix(40).prefix { $0 == 0x5f || isLetter($0) }
            if name.count > 2 { return String(decoding: name, as: UTF8.self) }
            from = index + 1
        }
        return nil
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
