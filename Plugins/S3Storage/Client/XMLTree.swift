/// A small XML document from a server, whole in memory: elements and text, which is all that S3
/// writes.
///
/// Attributes, comments and processing instructions are passed over. A document type is refused, and
/// with it every entity but the five that need none.
package struct XMLTree: Sendable, Hashable {
    /// Deepest nesting.
    package static let maximumDepth = 16
    /// Most elements in a document: a page of 1,000 objects has about 10,000.
    package static let maximumElements = 100_000

    /// Without a prefix of a name space.
    package private(set) var name: String
    /// What stands between its marks, but not in its children.
    package private(set) var text = ""
    package private(set) var children: [XMLTree] = []

    /// What is wrong with a document.
    package struct Malformed: Error, Sendable {
        package var reason: String
    }

    private init(name: String) { self.name = name }

    /// - Throws: `Malformed`.
    package init(_ bytes: [UInt8]) throws {
        var reader = XMLReader(bytes)
        self = try reader.document()
    }

    /// The first child of that name.
    package subscript(_ name: String) -> XMLTree? { children.first { $0.name == name } }

    /// The text of the first child of that name.
    package func text(_ name: String) -> String? { self[name]?.text }

    /// All children of that name.
    package func all(_ name: String) -> [XMLTree] { children.filter { $0.name == name } }

    fileprivate static func element(_ name: String) -> XMLTree { XMLTree(name: name) }
    fileprivate mutating func append(_ child: XMLTree) { children.append(child) }
    fileprivate mutating func append(_ more: String) { text += more }
}

/// Reads a document from its first byte to its last.
private struct XMLReader {
    private let bytes: [UInt8]
    private var index = 0
    private var elements = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws -> XMLTree {
        // The mark of byte order.
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { index = 3 }
        try skipBetween()
        guard peek() == UInt8(ascii: "<") else { throw malformed("it does not begin with a mark") }
        let root = try element()
        try skipBetween()
        guard index == bytes.count else { throw malformed("something follows its end") }
        return root
    }

    /// An element without recursion: a hostile document must not use up the stack.
    private mutating func element() throws -> XMLTree {
        var open: [XMLTree] = []
        while true {
            if try skipComment() { continue }
            if take("<![CDATA[") {
                guard !open.isEmpty else { throw malformed("text stands outside") }
                open[open.count - 1].append(try text(until: "]]>"))
            } else if take("</") {
                let name = try self.name()
                skipSpace()
                guard take(">"), let last = open.popLast(), last.name == name else {
                    throw malformed("marks do not match")
                }
                if open.isEmpty { return last }
                open[open.count - 1].append(last)
            } else if take("<") {
                if let finished = try begin(&open) { return finished }
            } else {
                guard !open.isEmpty, index < bytes.count else { throw malformed("it ends early") }
                open[open.count - 1].append(try characters())
            }
        }
    }

    /// The mark that begins an element; the element itself when it is the whole document.
    private mutating func begin(_ open: inout [XMLTree]) throws -> XMLTree? {
        elements += 1
        guard open.count < XMLTree.maximumDepth, elements <= XMLTree.maximumElements else {
            throw malformed("it is too large or too deep")
        }
        let element = XMLTree.element(try name())
        if try skipAttributes() {
            if open.isEmpty { return element }
            open[open.count - 1].append(element)
        } else {
            open.append(element)
        }
        return nil
    }

    /// Passes over attributes and the end of the mark; says whether the element is empty.
    private mutating func skipAttributes() throws -> Bool {
        while let byte = peek() {
            index += 1
            switch byte {
            case UInt8(ascii: ">"): return false
            case UInt8(ascii: "/") where peek() == UInt8(ascii: ">"):
                index += 1
                return true
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                guard let end = bytes[index...].firstIndex(of: byte) else {
                    throw malformed("it ends early")
                }
                index = end + 1
            case UInt8(ascii: "<"): throw malformed("marks do not match")
            default: break
            }
        }
        throw malformed("it ends early")
    }

    private mutating func name() throws -> String {
        let start = index
        while let byte = peek(), !isSpace(byte), byte != UInt8(ascii: ">"),
            byte != UInt8(ascii: "/"), byte != UInt8(ascii: "<")
        {
            index += 1
        }
        var name = bytes[start..<index]
        if let colon = name.firstIndex(of: UInt8(ascii: ":")) { name = name[(colon + 1)...] }
        guard !name.isEmpty, name.count <= 256 else { throw malformed("a mark has no name") }
        return String(decoding: name, as: UTF8.self)
    }

    /// Text up to the next mark.
    private mutating func characters() throws -> String {
        var out: [UInt8] = []
        while let byte = peek(), byte != UInt8(ascii: "<") {
            index += 1
            if byte == UInt8(ascii: "&") {
                out += try entity()
            } else {
                out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private mutating func entity() throws -> [UInt8] {
        guard let end = bytes[index...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else {
            throw malformed("an entity does not end")
        }
        let name = String(decoding: bytes[index..<end], as: UTF8.self)
        index = end + 1
        switch name {
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "amp": return [UInt8(ascii: "&")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default:
            let digits = name.hasPrefix("#x") ? name.dropFirst(2) : name.dropFirst()
            guard name.hasPrefix("#"),
                let code = UInt32(digits, radix: name.hasPrefix("#x") ? 16 : 10),
                let scalar = Unicode.Scalar(code)
            else { throw malformed("it has an entity that is not known") }
            return Array(String(scalar).utf8)
        }
    }

    /// White space, comments and processing instructions outside of the document's element.
    private mutating func skipBetween() throws {
        repeat { skipSpace() } while try skipComment()
    }

    private mutating func skipComment() throws -> Bool {
        if take("<!--") {
            _ = try text(until: "-->")
            return true
        }
        if take("<?") {
            _ = try text(until: "?>")
            return true
        }
        if take("<!DOCTYPE") { throw malformed("it declares a document type") }
        return false
    }

    private mutating func text(until mark: String) throws -> String {
        let mark = Array(mark.utf8)
        var end = index
        while end + mark.count <= bytes.count {
            if bytes[end] == mark[0], bytes[end..<end + mark.count].elementsEqual(mark) {
                defer { index = end + mark.count }
                return String(decoding: bytes[index..<end], as: UTF8.self)
            }
            end += 1
        }
        throw malformed("it ends early")
    }

    private mutating func take(_ mark: String) -> Bool {
        guard bytes[index...].starts(with: mark.utf8) else { return false }
        index += mark.utf8.count
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek(), isSpace(byte) { index += 1 }
    }

    private func peek() -> UInt8? { index < bytes.count ? bytes[index] : nil }

    private func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d
    }

    private func malformed(_ reason: String) -> XMLTree.Malformed {
        XMLTree.Malformed(reason: reason)
    }
}
