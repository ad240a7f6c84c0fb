import LinajeConformance
import LinajeDomain
import LinajeModelFiles
import LinajePluginKit
import Testing

@Suite("ZIPArchive")
struct ZIPArchiveTests {
    private static let text = Array("hello, hello, hello".utf8)
    /// `text`, deflated.
    private static let deflated: [UInt8] = [
        0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8, 0x40, 0xa2, 0x00,
    ]

    static func open(_ bytes: [UInt8], size: UInt64? = nil) async throws -> ZIPArchive {
        let source = MemoryModelSource(["m.zip": bytes], sizes: size.map { ["m.zip": $0] } ?? [:])
        let files = try await source.files()
        return try await ZIPArchive(reading: ModelFile(try #require(files.first), in: source))
    }

    private static var packed: ZIPBytes.Member {
        ZIPBytes.Member("b", text).with {
            $0.method = 8
            $0.packed = deflated
        }
    }

    private static var archives: [ZIPBytes] {
        var wide = ZIPBytes([ZIPBytes.Member("dir/a", text), packed])
        wide.isWide = true
        var commented = ZIPBytes([ZIPBytes.Member("dir/", []), ZIPBytes.Member("dir/a", text)])
        commented.comment = Array("made by hand".utf8)
        let described = packed.with {
            $0.flags = 0x808
            $0.localChecksum = 0
            $0.localSize = 0
            $0.after = [UInt8](repeating: 1, count: 16)
        }
        return [wide, commented, ZIPBytes([described, ZIPBytes.Member("a", [])]), ZIPBytes([])]
    }

    @Test("entries are listed and read, stored and deflated, short and ZIP64", arguments: 0..<4)
    func good(number: Int) async throws {
        let written = Self.archives[number]
        let archive = try await Self.open(written.bytes)
        #expect(archive.problems == [])
        #expect(
            archive.entries.map(\.name)
                == written.members.map { String(decoding: $0.name, as: UTF8.self) })
        for (entry, member) in zip(archive.entries, written.members) {
            #expect(try await archive.content(of: entry, limit: 100) == member.content)
        }
    }

    @Test("an archive torn at any byte is refused", arguments: 0..<4)
    func torn(number: Int) async throws {
        let bytes = Self.archives[number].bytes
        for length in 0..<bytes.count {
            await #expect(throws: LinajeError.self) { try await Self.open(Array(bytes[..<length])) }
        }
    }

    @Test("an archive with any bytes changed is refused or read, never a trap", arguments: 0..<4)
    func damaged(number: Int) async throws {
        let bytes = Self.archives[number].bytes
        var generator = SeededGenerator(seed: UInt64(number))
        for _ in 0..<2_000 {
            var changed = bytes
            for _ in 0...Int.random(in: 0..<3, using: &generator) {
                changed[Int.random(in: 0..<bytes.count, using: &generator)] =
                    [0, 1, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255, using: &generator)]
                    .randomElement(using: &generator) ?? 0
            }
            guard let archive = try? await Self.open(changed) else { continue }
            for entry in archive.entries {
                _ = try? await archive.content(of: entry, limit: 1 << 20)
            }
        }
    }

    struct Deceit: Sendable, CustomTestStringConvertible {
        var what: String
        var bytes: [UInt8]
        var says: String
        var testDescription: String { what }

        init(
            _ what: String, says: String, _ members: [ZIPBytes.Member] = [.init("a", text)],
            _ change: (inout ZIPBytes) -> Void = { _ in }
        ) {
            self.what = what
            self.says = says
            var archive = ZIPBytes(members)
            change(&archive)
            bytes = archive.bytes
        }
    }

    static let refused: [Deceit] = [
        Deceit("bytes before the archive", says: "put before it") { $0.prefix = [1, 2, 3] },
        Deceit("bytes after the archive", says: "after its end record") { $0.suffix = [0] },
        Deceit("two archives in a row", says: "put before it") {
            $0.prefix = ZIPBytes.of(("x", text))
        },
        Deceit("an end record in the comment", says: "put before it") {
            $0.comment = ZIPBytes([]).bytes
        },
        Deceit("a comment with part of an end record", says: "") {
            $0.comment = [0x50, 0x4b, 5, 6]
        },
        Deceit("ZIP64 that counts more entries", says: "different things") {
            $0.isWide = true
            $0.wideLie = 1
        },
    ]

    @Test("an archive that can be read in two ways is refused", arguments: refused)
    func ambiguous(deceit: Deceit) async throws {
        let error = await #expect(throws: LinajeError.self) { try await Self.open(deceit.bytes) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("m.zip") == true, "\(error?.message ?? "")")
        #expect(
            deceit.says.isEmpty || error?.message.contains(deceit.says) == true,
            "\(error?.message ?? "")")
    }

    private static func named(_ name: String) -> [ZIPBytes.Member] { [.init(name, text)] }
    private static func changed(_ change: (inout ZIPBytes.Member) -> Void) -> [ZIPBytes.Member] {
        [ZIPBytes.Member("a", text).with(change)]
    }

    static let problems: [Deceit] = [
        Deceit("a name with ..", says: "leads outside", named("../a")),
        Deceit("a name with .. inside", says: "leads outside", named("a/../../b")),
        Deceit("an absolute name", says: "leads outside", named("/etc/passwd")),
        Deceit("a drive", says: "leads outside", named("C:a")),
        Deceit("a backslash", says: "leads outside", named("..\\a")),
        Deceit("an empty name", says: "leads outside", named("")),
        Deceit("a NUL in the name", says: "leads outside", named("a\u{0}b")),
        Deceit(
            "a name that is no text", says: "read differently", changed { $0.name = [0x61, 0xff] }),
        Deceit("UTF-8 without its flag", says: "read differently", named("é")),
        Deceit("a symbolic link", says: "symbolic link", changed { $0.attributes = 0xa1ff_0000 }),
        Deceit("a device", says: "is no file", changed { $0.attributes = 0x2000_0000 }),
        Deceit("an entry twice", says: "twice", named("a") + named("a")),
        Deceit("bytes before the first entry", says: "before its first", named("a")) {
            $0.gap = [1, 2]
        },
        Deceit("bytes after an entry", says: "belong to none", changed { $0.after = [1, 2, 3] }),
        Deceit("another local name", says: "another name", changed { $0.localName = [0x62] }),
        Deceit(
            "a longer local name", says: "another name", changed { $0.localName = [0x62, 0x63] }),
        Deceit("other local flags", says: "another flags", changed { $0.localFlags = 8 }),
        Deceit("another local method", says: "another method", changed { $0.localMethod = 8 }),
        Deceit(
            "another local checksum", says: "another checksum", changed { $0.localChecksum = 1 }),
        Deceit(
            "another local size", says: "another packed size, size", changed { $0.localSize = 1 }),
        Deceit("the flag of encryption", says: "encrypted", changed { $0.flags = 1 }),
        Deceit(
            "the flag of patches", says: "flags that nothing writes", changed { $0.flags = 0x20 }),
        Deceit("the flag of strong encryption", says: "encrypted", changed { $0.flags = 0x40 }),
        Deceit("a hidden header", says: "encrypted", changed { $0.flags = 0x2000 }),
        Deceit("an unknown method", says: "method 12", changed { $0.method = 12 }),
        Deceit("a second name", says: "second name", changed { $0.extra = [0x75, 0x70, 1, 0, 0] }),
        Deceit("a folder with content", says: "folder with content", named("a/")),
        Deceit(
            "two sizes of what is not packed", says: "two sizes", changed { $0.packed = [1] }),
    ]

    @Test("what an entry does to deceive is among the problems", arguments: problems)
    func deceit(deceit: Deceit) async throws {
        let archive = try await Self.open(deceit.bytes)
        #expect(archive.problems.contains { $0.contains(deceit.says) }, "\(archive.problems)")
    }

    @Test("entries whose bytes overlap are refused")
    func overlap() async throws {
        // The second entry stands inside the first one's data, and the directory knows.
        let inner = ZIPBytes.of(("b", Self.text))
        let local = Array(inner[..<(30 + 1 + Self.text.count)])
        var bytes = ZIPBytes([ZIPBytes.Member("a", local), ZIPBytes.Member("b", Self.text)]).bytes
        let second = try #require(
            bytes.indices.last { bytes[$0...].starts(with: [0x50, 0x4b, 1, 2]) })
        bytes.replaceSubrange((second + 42)..<(second + 46), with: ZIPBytes.number(31, 4))
        let error = await #expect(throws: LinajeError.self) { try await Self.open(bytes) }
        #expect(error?.message.contains("overlap") == true, "\(error?.message ?? "")")
    }

    @Test(
        "content that is not what the directory says is refused",
        arguments: [
            ("checksum", changed { $0.checksum = 7 }),
            (
                "directory says",
                changed {
                    $0.method = 8
                    $0.packed = deflated
                    $0.content = text + [1]
                }
            ),
            (
                "deflated stream",
                changed {
                    $0.method = 8
                    $0.packed = deflated + [0]
                }
            ),
            (
                "deflated stream",
                changed {
                    $0.method = 8
                    $0.packed = Array(deflated.dropLast())
                }
            ),
            (
                "no deflated stream",
                changed {
                    $0.method = 8
                    $0.packed = [0xff, 0xff]
                }
            ),
        ])
    func content(says: String, members: [ZIPBytes.Member]) async throws {
        let archive = try await Self.open(ZIPBytes(members).bytes)
        let error = await #expect(throws: LinajeError.self) {
            try await archive.content(of: archive.entries[0], limit: 1_000)
        }
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
    }

    @Test("a bomb unpacks no further than its directory says")
    func bomb() async throws {
        // A deflated run of a million zeros whose directory promises 10 bytes.
        let zeros = [UInt8](repeating: 0, count: 10)
        var packed: [UInt8] = [0xed, 0xc1, 0x01, 0x0d]
        packed += [UInt8](repeating: 0, count: 1_000)
        let archive = try await Self.open(
            ZIPBytes([
                ZIPBytes.Member("a", zeros).with {
                    $0.method = 8
                    $0.packed = packed
                }
            ]).bytes)
        await #expect(throws: LinajeError.self) {
            try await archive.content(of: archive.entries[0], limit: 100)
        }
    }

    @Test("sizes and counts past the bounds are refused before they are read")
    func bounds() async throws {
        let end = Array(ZIPBytes([]).bytes)
        var many = end
        many.replaceSubrange(8..<12, with: [0xff, 0xff, 0xff, 0xff])
        await #expect(throws: LinajeError.self) { try await Self.open(many) }
        var large = end
        large.replaceSubrange(12..<16, with: ZIPBytes.number(0xffff_fff0, 4))
        await #expect(throws: LinajeError.self) { try await Self.open(large) }
        let archive = try await Self.open(ZIPBytes.of(("a", Self.text)))
        let error = await #expect(throws: LinajeError.self) {
            try await archive.content(of: archive.entries[0], limit: 3)
        }
        #expect(error?.code == .limitExceeded)
    }
}
