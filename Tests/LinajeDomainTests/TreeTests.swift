import LinajeDomain
import Testing

@Suite("Tree")
struct TreeTests {
    private func entry(
        _ path: String, _ mode: FileMode = .file, size: UInt64 = 3, byte: UInt8 = 7
    ) throws -> TreeEntry {
        TreeEntry(
            path: try TreePath(path), mode: mode, size: size,
            sha256: try SHA256Digest([UInt8](repeating: byte, count: 32), noun: "test"))
    }

    @Test("entries are written in the order of their paths' bytes, whatever order they came in")
    func canonicalOrder() throws {
        let paths = ["b", "a/b", "a.txt", "a/é", "Z"]
        let forward = try Tree(paths.map { try entry($0) })
        let backward = try Tree(paths.reversed().map { try entry($0) })
        #expect(forward.canonical == backward.canonical)
        #expect(forward.entries.map(\.path.text) == ["Z", "a.txt", "a/b", "a/é", "b"])
    }

    @Test("the canonical text is read back to the same tree")
    func roundTrip() throws {
        let tree = try Tree([
            entry("run", .executable), entry("data/link", .link), entry("data/with space"),
        ])
        #expect(try Tree(canonical: tree.canonical) == tree)
        #expect(try Tree(canonical: Tree([]).canonical).entries.isEmpty)
    }

    @Test("every torn or flipped canonical text is refused or says something else")
    func damage() throws {
        let tree = try Tree([entry("a"), entry("b/c", .executable, size: 120)])
        let bytes = tree.canonical
        for end in 0..<bytes.count {
            let torn = try? Tree(canonical: Array(bytes[..<end]))
            #expect(torn != tree)
        }
        for index in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[index] ^= 1 << UInt8(bit)
                #expect((try? Tree(canonical: flipped)) != tree)
            }
        }
    }

    @Test("only the canonical form is read: other numbers, orders and repetitions are refused")
    func onlyCanonical() throws {
        let digest = String(repeating: "ab", count: 32)
        let refused = [
            "linaje tree 1\n0100644 \(digest) 3 a\0",
            "linaje tree 1\n100644 \(digest) 03 a\0",
            "linaje tree 1\n100644 \(digest.uppercased()) 3 a\0",
            "linaje tree 1\n100644 \(digest) 3 b\u{0}100644 \(digest) 3 a\0",
            "linaje tree 1\n100644 \(digest) 3 a\u{0}100644 \(digest) 3 a\0",
            "linaje tree 1\n100644 \(digest) 3 a\u{0}100644 \(digest) 3 a/b\0",
            "linaje tree 1\n010000 \(digest) 3 fifo\0", "linaje tree 1\n100644 \(digest) 3 ../a\0",
            "linaje tree 1\n100644 \(digest) +3 a\0", "linaje tree 2\n", "",
        ]
        for text in refused {
            #expect(throws: LinajeError.self, "\(text.debugDescription)") {
                try Tree(canonical: Array(text.utf8))
            }
        }
    }

    @Test("a path may stand neither twice nor below a file")
    func nesting() throws {
        #expect(throws: LinajeError.self) { try Tree([entry("a"), entry("a")]) }
        #expect(throws: LinajeError.self) { try Tree([entry("a/b/c"), entry("a")]) }
        #expect(throws: LinajeError.self) { try Tree([entry("a"), entry("a!"), entry("a/b")]) }
        #expect(throws: Never.self) { try Tree([entry("a/b"), entry("a.b"), entry("ab")]) }
    }

    @Test("an entry is found by its path, and a folder gives the tree below it")
    func lookUp() throws {
        let tree = try Tree(["a/x", "a/y/z", "a.b", "b"].map { try entry($0) })
        #expect(tree.entry(at: try TreePath("a/y/z")) != nil)
        #expect(tree.entry(at: try TreePath("a/y")) == nil)
        let below = try tree.subtree(at: TreePath("a"))
        #expect(below.entries.map(\.path.text) == ["x", "y/z"])
    }

    @Test("a listing shows the next level with the sizes of folders, page by page, each thing once")
    func listing() throws {
        let tree = try Tree(["a/x", "a/y/z", "a.b", "b/c", "d"].map { try entry($0) })
        var names: [String] = []
        var token = ""
        repeat {
            let page = try TreeListing(tree, below: nil, recursive: false)
                .page(Page(limit: 1, token: token))
            for item in page.elements {
                switch item {
                case .file(let entry): names.append(entry.path.text)
                case .folder(let path, let size): names.append("\(path)/ \(size)")
                }
            }
            token = page.nextPageToken
        } while !token.isEmpty
        #expect(names == ["a.b", "a/ 6", "b/ 3", "d"])
        #expect(throws: LinajeError.self) {
            try TreeListing(tree, below: TreePath("nowhere"), recursive: false)
        }
    }
}

@Suite("TreePath")
struct TreePathTests {
    @Test(
        "a path that is absolute, leads outside or has an empty part is refused",
        arguments: [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\0b",
            String(repeating: "x", count: Limits.pathBytes + 1),
        ])
    func refused(_ text: String) {
        let error = #expect(throws: LinajeError.self) { try TreePath(text) }
        #expect(error?.code == .invalidPath)
    }

    @Test(
        "odd but harmless names are kept as they are",
        arguments: ["a", "...", "a..b", "C:", "a\\b", "%2e%2e", "ü", " ", "a;b", "#", "~"])
    func kept(_ text: String) throws {
        #expect(try TreePath(text).text == text)
    }

    @Test("paths that only Unicode takes for equal are two paths")
    func unicode() throws {
        let composed = try TreePath("\u{e9}")
        let decomposed = try TreePath("e\u{301}")
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
    }
}
