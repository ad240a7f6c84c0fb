import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

extension FuzzTarget {
    /// What reads text.
    static let texts: [FuzzTarget] = [
        FuzzTarget("json", json),
        FuzzTarget("plugin-manifest") { bytes in
            guard let manifest = try? PluginManifest(parsing: bytes, path: "plugin.json") else {
                return
            }
            guard !manifest.executable.utf8.contains(UInt8(ascii: "/")) else {
                FuzzProgram.fail("takes a program outside its folder")
            }
        },
        FuzzTarget("names", names),
        FuzzTarget("filter", filter),
    ]

    /// Both readers take the same texts, and a text made of the tree is the same tree.
    private static func json(_ bytes: [UInt8]) {
        var reader = JSONReader(bytes, name: "text")
        var isTaken = true
        do {
            try reader.skip()
            try reader.finish()
        } catch { isTaken = false }
        guard let tree = try? JSONValue(parsing: bytes, name: "text") else {
            guard !isTaken else { FuzzProgram.fail("is skipped but not read") }
            return
        }
        guard isTaken else { FuzzProgram.fail("is read but not skipped") }
        guard let again = try? JSONValue(parsing: Array(text(of: tree).utf8), name: "again"),
            again == tree
        else { FuzzProgram.fail("is another tree when it is written and read again") }
    }

    private static func text(of value: JSONValue) -> String {
        switch value {
        case .object(let members):
            let parts = members.map { "\(JSONText.quoted($0.key)):\(text(of: $0.value))" }
            return "{\(parts.joined(separator: ","))}"
        case .array(let elements):
            return "[\(elements.map { text(of: $0) }.joined(separator: ","))]"
        case .string(let text): return JSONText.quoted(text)
        case .number(let text): return text
        case .bool(let bool): return bool ? "true" : "false"
        case .null: return "null"
        }
    }

    /// What a parser takes, it takes again as it is written, for the same.
    private static func names(_ bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return }
        if let uri = try? ModelURI(parsing: text) { same(uri, try? ModelURI(parsing: "\(uri)")) }
        if let uri = try? ContentURI(parsing: text) {
            same(uri, try? ContentURI(parsing: "\(uri)"))
        }
        if let remote = try? RemoteAddress(parsing: text) {
            same(remote, try? RemoteAddress(parsing: "\(remote)"))
        }
        if let time = Timestamp(text: text) { same(time, Timestamp(text: time.text)) }
        if let path = try? TreePath(text) {
            let parts = text.utf8.split(
                separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            let isSound = parts.allSatisfy { part in
                !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
            }
            guard isSound, path.text == text else { FuzzProgram.fail("takes an unsound path") }
        }
        _ = try? Names.alias(text)
        _ = try? Names.loggedModel(text)
        _ = try? Names.remote(text)
    }

    private static func filter(_ bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return }
        for schema in [SearchSchema.runs, .modelVersions, .datasets] {
            if let filter = try? Filter.parse(text, for: schema) {
                let again = try? Filter.parse("\(filter)", for: schema)
                // NaN is not even itself.
                guard again.map({ "\($0)" }) == "\(filter)" else {
                    FuzzProgram.fail("is another filter when it is read again: \(filter)")
                }
            }
            if let key = try? SortKey.parse(text, for: schema) {
                same(key, try? SortKey.parse("\(key)", for: schema))
            }
        }
    }

    private static func same<Value: Equatable>(_ value: Value, _ again: Value?) {
        guard value == again else {
            FuzzProgram.fail(
                "is another \(Value.self) when it is read again: \(value), "
                    + (again.map { "\($0)" } ?? "nothing"))
        }
    }
}
