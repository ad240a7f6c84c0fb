import LinajeDomain

/// The names in a tar archive (POSIX.1-2017, ustar). Its files are not looked into.
enum TarListing {
    private static let blockBytes: UInt64 = 512
    /// Most entries that are listed.
    private static let mostEntries = 4_096

    static func isLikely(_ prefix: [UInt8]) -> Bool {
        prefix.count >= 265 && Array(prefix[257..<262]) == Array("ustar".utf8)
    }

    static func scan(_ file: ModelFile) async throws -> FileScan {
        var scan = FileScan("tar")
        var place: UInt64 = 0
        var count = 0
        while place + blockBytes <= file.size {
            let header = try await file.bytes(at: place, Int(blockBytes))
            guard let first = header.first, first != 0 else { break }
            count += 1
            guard count <= mostEntries else {
                scan.note(.unknown, "has more than \(mostEntries) entries")
                break
            }
            guard let size = octal(header[124..<136]), size < 1 << 60 else {
                scan.note(.dangerous, "has an entry without a size")
                break
            }
            judge(header, &scan)
            place += blockBytes + (size + blockBytes - 1) / blockBytes * blockBytes
        }
        if place > file.size { scan.note(.dangerous, "ends inside an entry") }
        return scan
    }

    private static func judge(_ header: [UInt8], _ scan: inout FileScan) {
        let prefix = text(header[345..<500])
        let name = (prefix.isEmpty ? "" : prefix + "/") + text(header[0..<100])
        let shown = name.prefix(200)
        let path = name.hasSuffix("/") ? String(name.dropLast()) : name
        let plain = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
        switch header[156] {
        case 0, UInt8(ascii: "0"), UInt8(ascii: "5"), UInt8(ascii: "7"):
            if plain != ".", plain != "", (try? TreePath(plain)) == nil {
                scan.note(
                    .dangerous, "entry \"\(shown)\" has a name that leads outside or is no path")
            }
            let ending = CodeScan.ending(of: plain)
            if CodeScan.pickleEndings.contains(ending) || plain == "pickle" {
                scan.note(.unknown, "holds \"\(shown)\", which is not looked into where it is")
            }
        case UInt8(ascii: "1"), UInt8(ascii: "2"):
            scan.note(.dangerous, "entry \"\(shown)\" is a link")
        case UInt8(ascii: "x"), UInt8(ascii: "g"), UInt8(ascii: "L"), UInt8(ascii: "K"):
            scan.note(.unknown, "has names that stand elsewhere, which are not read")
        default: scan.note(.dangerous, "entry \"\(shown)\" is no file")
        }
    }

    private static func octal(_ field: ArraySlice<UInt8>) -> UInt64? {
        let digits = field.drop { $0 == 0x20 }.prefix { (0x30...0x37).contains($0) }
        guard !digits.isEmpty else { return nil }
        return digits.reduce(UInt64(0)) { $0 &* 8 &+ UInt64($1 - 0x30) }
    }

    private static func text(_ field: ArraySlice<UInt8>) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }
}
