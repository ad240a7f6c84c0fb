import LinajeDomain
import LinajePluginKit

/// Files in memory as a model.
struct FuzzSource: ModelSource {
    let contents: [(path: String, bytes: [UInt8])]
    /// Bytes that each file claims to have and has not.
    var lie: UInt64 = 0

    init(_ contents: [(path: String, bytes: [UInt8])], lie: UInt64 = 0) {
        self.contents = contents
        self.lie = lie
    }

    /// One file for each name, cut out of the bytes where a separator stands; names without a part are
    /// left out.
    init(cutting bytes: [UInt8], into names: [String]) {
        var contents: [(path: String, bytes: [UInt8])] = []
        var rest = bytes[...]
        for name in names {
            let end = Self.separator(in: rest)
            contents.append((name, Array(rest[..<(end ?? rest.endIndex)])))
            guard let end else { break }
            rest = rest[(end + Self.separatorBytes.count)...]
        }
        self.init(contents)
    }

    /// What stands between two files of one input.
    static let separatorBytes = Array("\n%%FILE%%\n".utf8)

    private static func separator(in bytes: ArraySlice<UInt8>) -> Int? {
        var place = bytes.startIndex
        while let found = bytes[place...].firstIndex(of: 0x0a) {
            if bytes[found...].starts(with: separatorBytes) { return found }
            place = found + 1
        }
        return nil
    }

    func files() async throws -> [ModelSourceFile] {
        contents.map {
            ModelSourceFile(path: $0.path, size: UInt64($0.bytes.count) &+ lie)
        }
    }

    func read(_ path: String, offset: UInt64, length: Int) async throws -> [UInt8] {
        guard let content = contents.first(where: { $0.path == path })?.bytes else {
            throw LinajeError(.notFound, "model has no file \"\(path)\"")
        }
        guard length >= 0, length <= 64 << 20 else {
            FuzzProgram.fail("asks for \(length) bytes of \(path) at once")
        }
        guard offset < UInt64(content.count), length > 0 else { return [] }
        let start = Int(offset)
        return Array(content[start..<(start + min(length, content.count - start))])
    }
}
