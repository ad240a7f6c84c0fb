import LinajeDomain
public import LinajePluginKit

/// What every `ArtifactBackend` must do.
public enum ArtifactBackendSuite {
    /// The cases. Each opens a store of its own.
    ///
    /// - Parameter make: An empty store, removed when the returned value is released or by the
    ///   caller afterwards.
    public static func cases(
        make: @Sendable @escaping () async throws -> any ArtifactBackend
    ) -> [ConformanceCase] {
        visibility(make) + reading(make) + listing(make) + sizes(make) + concurrency(make)
    }

    private typealias Make = @Sendable () async throws -> any ArtifactBackend

    private static func visibility(_ make: @escaping Make) -> [ConformanceCase] {
        [
            ConformanceCase("the descriptor names an artifact backend") {
                let store = try await make()
                try requireEqual(store.descriptor.kind, .artifactBackend, "the kind")
                try require(!store.descriptor.name.isEmpty, "the descriptor has no name")
                try require(
                    store.properties.parallelRequests > 0, "the store allows no request at all")
            },
            ConformanceCase("an object is visible after commit and not before") {
                let store = try await make()
                let writer = try await store.put("packs/ab/ab01.pack")
                try await writer.write([1, 2, 3])
                try requireEqual(
                    try await store.stat("packs/ab/ab01.pack"), nil, "the size before commit")
                try await requireError(.notFound, "a read before commit") {
                    _ = try await store.get("packs/ab/ab01.pack", range: 0..<3)
                }
                try requireEqual(
                    try await store.list(prefix: "").map(\.key), [], "the list before commit")
                try await writer.write([4])
                try await writer.commit()
                try requireEqual(
                    try await store.get("packs/ab/ab01.pack", range: 0..<4), [1, 2, 3, 4],
                    "the content after commit")
            },
            ConformanceCase("an aborted object is never visible") {
                let store = try await make()
                let writer = try await store.put("a/aborted")
                try await writer.write([UInt8](repeating: 7, count: 100_000))
                await writer.abort()
                try requireEqual(try await store.stat("a/aborted"), nil, "the size after abort")
                try requireEqual(
                    try await store.list(prefix: "").map(\.key), [], "the list after abort")
            },
            ConformanceCase("abort after commit changes nothing") {
                let store = try await make()
                let writer = try await store.put("kept")
                try await writer.write([9])
                try await writer.commit()
                await writer.abort()
                try requireEqual(try await store.get("kept", range: 0..<1), [9], "the content")
            },
            ConformanceCase("remove is idempotent and removes only its object") {
                let store = try await make()
                try await write([1], to: "x/one", in: store)
                try await write([2], to: "x/two", in: store)
                try await store.remove("x/one")
                try await store.remove("x/one")
                try await store.remove("never/was")
                try requireEqual(try await store.stat("x/one"), nil, "the size after remove")
                try requireEqual(try await store.get("x/two", range: 0..<1), [2], "the other")
                try await write([3], to: "x/one", in: store)
                try requireEqual(
                    try await store.get("x/one", range: 0..<1), [3], "the object put again")
            },
        ]
    }

    private static func reading(_ make: @escaping Make) -> [ConformanceCase] {
        [
            ConformanceCase("ranges give exactly their bytes, shorter only at the end") {
                let store = try await make()
                var generator = SeededGenerator(seed: 1)
                let content = generator.bytes(200_003)
                try await write(content, to: "ranged", in: store)
                let ranges: [Range<UInt64>] = [
                    0..<1, 0..<200_003, 1..<2, 4_095..<4_097, 65_536..<131_072, 200_002..<200_003,
                    200_000..<300_000, 200_003..<200_010, 400_000..<400_001, 5..<5,
                    (UInt64.max - 5)..<UInt64.max,
                ]
                for range in ranges {
                    let expected = content[
                        min(
                            content.count, Int(clamping: range.lowerBound))..<min(
                                content.count, Int(clamping: range.upperBound))]
                    try requireEqual(
                        try await store.get("ranged", range: range), Array(expected),
                        "the range \(range)")
                }
            },
            ConformanceCase("an unknown key is notFound to read and nil to stat") {
                let store = try await make()
                try await requireError(.notFound, "a read of an unknown key") {
                    _ = try await store.get("not/there", range: 0..<10)
                }
                try requireEqual(try await store.stat("not/there"), nil, "its size")
            },
            ConformanceCase("a key that is only the beginning of others is not found") {
                let store = try await make()
                try await write([1], to: "packs/ab/abcd.pack", in: store)
                for key in ["packs", "packs/ab", "packs/ab/abcd"] {
                    try requireEqual(try await store.stat(key), nil, "the size of \(key)")
                    try await requireError(.notFound, "a read of \(key)") {
                        _ = try await store.get(key, range: 0..<1)
                    }
                }
            },
        ]
    }

    private static func listing(_ make: @escaping Make) -> [ConformanceCase] {
        [
            ConformanceCase("list gives keys with sizes in the order of their bytes") {
                let store = try await make()
                let keys = ["b", "a/b", "a-b", "a.b", "a/b-c", "a/b.c", "a/b0", "0", "a0", "a/a/a"]
                for (index, key) in keys.enumerated() {
                    // A store that makes files of keys may have no room for a key that is also
                    // the beginning of another; the daemon's keys never are.
                    guard !keys.contains(where: { $0.hasPrefix(key + "/") }) else { continue }
                    try await write([UInt8](repeating: 0, count: index), to: key, in: store)
                }
                let expected = keys.enumerated().filter { pair in
                    !keys.contains { $0.hasPrefix(pair.element + "/") }
                }.sorted { $0.element.utf8.lexicographicallyPrecedes($1.element.utf8) }
                let found = try await store.list(prefix: "")
                try requireEqual(found.map(\.key), expected.map(\.element), "the list of keys")
                try requireEqual(
                    found.map(\.size), expected.map { UInt64($0.offset) }, "the list of sizes")
            },
            ConformanceCase("list finds exactly the keys with a prefix, in a folder or not") {
                let store = try await make()
                for key in ["packs/ab/ab1", "packs/ab/ab2", "packs/ac/ac1", "packsx", "other"] {
                    try await write([1], to: key, in: store)
                }
                let expected: [String: [String]] = [
                    "packs/": ["packs/ab/ab1", "packs/ab/ab2", "packs/ac/ac1"],
                    "packs/ab": ["packs/ab/ab1", "packs/ab/ab2"],
                    "packs/ab/ab1": ["packs/ab/ab1"],
                    "packs": ["packs/ab/ab1", "packs/ab/ab2", "packs/ac/ac1", "packsx"],
                    "none/": [],
                ]
                for (prefix, keys) in expected {
                    try requireEqual(
                        try await store.list(prefix: prefix).map(\.key), keys,
                        "the list of \"\(prefix)\"")
                }
            },
        ]
    }

    private static func sizes(_ make: @escaping Make) -> [ConformanceCase] {
        [
            ConformanceCase("an object may have no bytes") {
                let store = try await make()
                try await write([], to: "empty", in: store)
                try requireEqual(try await store.stat("empty"), 0, "the size")
                try requireEqual(try await store.get("empty", range: 0..<10), [], "the content")
                try requireEqual(
                    try await store.list(prefix: "empty").map(\.size), [0], "the listed size")
            },
            ConformanceCase("an object of 10 MiB written in uneven parts comes back whole") {
                let store = try await make()
                var generator = SeededGenerator(seed: 2)
                let content = generator.bytes(10 << 20)
                let writer = try await store.put("big")
                var position = 0
                while position < content.count {
                    let end = min(
                        content.count, position + Int.random(in: 0...2_500_000, using: &generator))
                    try await writer.write(Array(content[position..<end]))
                    position = end
                }
                try await writer.commit()
                try requireEqual(try await store.stat("big"), 10 << 20, "the size")
                let found = try await store.get("big", range: 0..<UInt64(content.count))
                try require(found == content, "the 10 MiB that came back differ")
            },
        ]
    }

    private static func concurrency(_ make: @escaping Make) -> [ConformanceCase] {
        [
            ConformanceCase("the same key put many times at once ends as one whole object") {
                let store = try await make()
                var generator = SeededGenerator(seed: 3)
                let content = generator.bytes(300_000)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<16 {
                        group.addTask { try await write(content, to: "same/key", in: store) }
                    }
                    try await group.waitForAll()
                }
                try require(
                    try await store.get("same/key", range: 0..<300_000) == content,
                    "the content differs")
                try requireEqual(
                    try await store.list(prefix: "").map(\.key), ["same/key"], "the list")
            },
            ConformanceCase("many keys put, read and removed at once do not disturb each other") {
                let store = try await make()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for index in 0..<40 {
                        group.addTask {
                            let key = "many/\(index % 7)/\(index)"
                            let content = [UInt8](repeating: UInt8(index), count: 1_000 + index)
                            try await write(content, to: key, in: store)
                            try requireEqual(
                                try await store.get(key, range: 0..<2_000), content, key)
                            if index.isMultiple(of: 2) { try await store.remove(key) }
                        }
                    }
                    try await group.waitForAll()
                }
                try requireEqual(
                    try await store.list(prefix: "many/").count, 20, "the number of objects")
            },
        ]
    }

    private static func write(
        _ content: [UInt8], to key: String, in store: any ArtifactBackend
    ) async throws {
        let writer = try await store.put(key)
        try await writer.write(content)
        try await writer.commit()
    }
}
