import LinajeDomain
import LinajeModelFiles
import Testing

/// Tar archives, which are listed and not unpacked.
@Suite("tar archives")
struct TarListingTests {
    /// An archive with one file of three bytes (POSIX.1-2017, ustar).
    private static func archive(_ name: String, kind: Character = "0") -> [UInt8] {
        func field(_ text: String, _ count: Int) -> [UInt8] {
            Array(text.utf8) + [UInt8](repeating: 0, count: count - text.utf8.count)
        }
        let head =
            field(name, 100) + field("0000644", 8) + field("0000000", 8) + field("0000000", 8)
            + field("00000000003", 12) + field("00000000000", 12) + field("0000000", 8)
            + Array(String(kind).utf8) + field("", 100) + field("ustar", 6) + Array("00".utf8)
        return field(String(decoding: head, as: UTF8.self), 512) + field("abc", 512)
            + [UInt8](repeating: 0, count: 1_024)
    }

    @Test("an archive of plain files holds no code")
    func plain() async throws {
        for name in ["a.txt", "config.json", "Index", "folder/b"] {
            let found = try #require(try await scan(Self.archive(name), as: "m.tar"))
            #expect(found.format == "tar")
            #expect(found.verdict == nil, "\(name): \(found.problems)")
        }
    }

    @Test("a name that is the operations of a pickle makes the archive dangerous")
    func pickleToo() async throws {
        // Python's tarfile lists it and Python's pickle runs it.
        let bytes = Self.archive("cbuiltins\nprint\n(S'it ran'\ntR.")
        for name in ["m.tar", "m.pkl", "weights.bin"] {
            let found = try #require(try await scan(bytes, as: name))
            #expect(found.verdict == .dangerous)
            #expect(found.globals.map(\.path) == ["builtins.print"])
        }
    }

    @Test("links and names that lead outside are dangerous")
    func outside() async throws {
        #expect(try await scan(Self.archive("../a"), as: "m.tar")?.verdict == .dangerous)
        #expect(try await scan(Self.archive("a", kind: "2"), as: "m.tar")?.verdict == .dangerous)
    }

    @Test("an archive torn or changed at any byte is judged, never a trap")
    func torn() async throws {
        let bytes = Self.archive("a.txt")
        for count in 0..<bytes.count { _ = try await scan(Array(bytes[..<count]), as: "m.tar") }
        for place in 0..<600 {
            for value: UInt8 in [0, 0x2f, 0x7f, 0xff] {
                var changed = bytes
                changed[place] = value
                _ = try await scan(changed, as: "m.tar")
            }
        }
    }
}
