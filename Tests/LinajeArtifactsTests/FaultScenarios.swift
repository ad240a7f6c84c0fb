import FilesystemStorage
import Foundation
import LinajeArtifacts
import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Synchronization

/// One life of a store: it is opened on a folder, does something, and dies or is closed.
struct StoreLife: Sendable {
    typealias Files = [(path: String, bytes: [UInt8])]

    /// What was acknowledged and is referred to, whatever lives pass.
    final class Memory: Sendable {
        private let trees: Mutex<[SHA256Digest: Files]>

        init(_ trees: [SHA256Digest: Files] = [:]) { self.trees = Mutex(trees) }

        var all: [SHA256Digest: Files] { trees.withLock { $0 } }
        func add(_ digest: SHA256Digest, _ files: Files) { trees.withLock { $0[digest] = files } }
        func remove(_ digest: SHA256Digest) { trees.withLock { $0[digest] = nil } }
        func copy() -> Memory { Memory(all) }
    }

    let folder: String
    let memory: Memory
    let references = References()
    let clock = ManualClock()
    let sql: SQLiteBackend
    let backend: FilesystemStorage
    let store: ArtifactStore

    init(_ folder: String, _ memory: Memory) async throws {
        self.folder = folder
        self.memory = memory
        sql = try SQLiteBackend(path: "\(folder)/catalog.db", readers: 1)
        backend = FilesystemStorage(root: folder)
        store = ArtifactStore(backend: backend, index: sql, clock: clock)
        do {
            try await store.prepare()
            try await store.enterStrays()
        } catch {
            try? await sql.close()
            throw error
        }
        for digest in memory.all.keys { references.add(digest) }
    }

    /// Ends it. A dead one leaves everything as it is.
    func close() async {
        // The first may fail at the checkpoint; then the second closes without it.
        do { try await sql.close() } catch { try? await sql.close() }
    }

    /// Puts a tree; once this returns it is acknowledged.
    @discardableResult
    func put(_ files: Files) async throws -> SHA256Digest {
        let id = IngestID.random()
        try await store.beginIngest(id)
        for (path, bytes) in files {
            let file = try await store.openFile(
                id, path: TreePath(path), mode: .file, size: nil, sha256: nil)
            try await file.append(bytes)
            _ = try await file.finish()
        }
        let tree = try await store.prepareTree(id).digest
        memory.add(tree, files)
        references.add(tree)
        await store.endIngest(id)
        return tree
    }

    /// Puts small files in one batch.
    @discardableResult
    func putTogether(_ files: Files) async throws -> SHA256Digest {
        let id = IngestID.random()
        try await store.beginIngest(id)
        _ = try await store.putFiles(
            id,
            try files.map {
                WholeFile(
                    path: try TreePath($0.path), mode: .file, content: $0.bytes,
                    sha256: ContentHasher.digest($0.bytes))
            })
        let tree = try await store.prepareTree(id).digest
        memory.add(tree, files)
        references.add(tree)
        await store.endIngest(id)
        return tree
    }

    func forget(_ tree: SHA256Digest) {
        memory.remove(tree)
        references.remove(tree)
    }

    func collect() async throws {
        clock.advance(by: .seconds(7_200))
        _ = try await GarbageCollector(store: store, roots: references).collect(
            CollectionOptions(grace: .zero)
        ) { _ in }
    }

    @discardableResult
    func check(_ options: CheckOptions = CheckOptions(readsData: true)) async throws -> [String] {
        let found = Mutex<[String]>([])
        _ = try await ArtifactCheck(store: store, roots: references).run(options) { news in
            guard case .finding(let finding) = news else { return }
            found.withLock { $0.append("\(finding.object): \(finding.finding)") }
            if ProcessInfo.processInfo.environment["LINAJE_STORAGE_POINT"] != nil {
                print("found \(finding)")
            }
        }
        return found.withLock { $0 }
    }

    /// The trees that are not as they were acknowledged.
    func losses() async -> [String] {
        var lost: [String] = []
        for (digest, files) in memory.all {
            do {
                let tree = try await store.tree(digest)
                guard tree.entries.count == files.count else {
                    lost.append("tree \(digest) has \(tree.entries.count) files")
                    continue
                }
                for entry in tree.entries {
                    let bytes = try await store.read(entry.sha256, range: nil).collect()
                    if bytes != files.first(where: { $0.path == entry.path.text })?.bytes {
                        lost.append("\(entry.path) of tree \(digest) is wrong")
                    }
                }
            } catch {
                lost.append("tree \(digest): \(error)")
            }
        }
        return lost
    }
}

/// Something that a store does, whose system calls fail one after the other.
///
/// To add one: what stands in the store before, and what it does. Everything else is the same for all.
struct FaultScenario: Sendable {
    var name: String
    /// What is there before.
    var prepare: @Sendable (StoreLife) async throws -> Void
    /// What it does; `nil`: it is only opened, and that is what fails.
    var act: (@Sendable (StoreLife) async throws -> Void)?
    /// What is done without a store; told of the folder. There is no `act` then.
    var alone: (@Sendable (String) async throws -> Void)?
    /// Changed in the files when the store is closed; told of the store's folder.
    var damage: @Sendable (String) throws -> Void = { _ in }
    /// Whether the files are taken as they are while the store is open, as a death leaves them.
    var isLeftOpen = false
    /// How it is put right before it is checked.
    var repair: CheckOptions?
    /// Whether the store only reads, so that no error keeps it from taking something.
    var onlyReads = false
    /// Done before the store is opened again, told of the folder and of whether it failed; says
    /// what is wrong.
    var settle: (@Sendable (String, Bool) async throws -> [String])?
    /// Where the store is then, below the folder; empty: in it.
    var state = ""
    /// Looks at more of the store that is opened again; says what is wrong.
    var after: (@Sendable (StoreLife, Bool) async throws -> [String])?

    static let all = [put, collect, repack, repair, rebuild, open, backup, restore]

    static func noise(_ seed: UInt64, _ count: Int) -> [UInt8] {
        SplitMix64.bytes(seed: seed, count: count)
    }

    /// Numbers whose upper bytes are alike: they are stored as byte planes.
    static func floats(_ seed: UInt64, _ count: Int) -> [UInt8] {
        var generator = SplitMix64(seed: seed)
        var out: [UInt8] = []
        out.reserveCapacity(count * 4)
        for _ in 0..<count {
            let value = Float(Int(generator.next() % 2_000_001) - 1_000_000) / 5e7
            withUnsafeBytes(of: value.bitPattern.littleEndian) { out.append(contentsOf: $0) }
        }
        return out
    }

    static func text(_ seed: UInt64, _ count: Int) -> [UInt8] {
        Array((0..<count).map { "line \($0) of text \(seed)\n" }.joined().utf8)
    }

    /// Two trees that share content with each other and with one that is there.
    static let put = FaultScenario(
        name: "put",
        prepare: { life in
            try await life.put([("shared", noise(1, 50_000)), ("notes", text(1, 100))])
        },
        act: { life in
            try await life.put([
                ("shared", noise(1, 50_000)), ("own", noise(2, 70_000)),
                ("weights", floats(2, 9_000)), ("notes", text(2, 300)),
            ])
            try await life.put([("own", noise(2, 70_000)), ("d/more", text(3, 200))])
        })

    /// Of three trees, each in its pack, two are not needed any more.
    static let collect = FaultScenario(
        name: "gc",
        prepare: { life in
            try await life.put([("kept", noise(1, 40_000))])
            life.forget(try await life.put([("gone", noise(2, 40_000))]))
            life.forget(try await life.put([("gone", noise(3, 20_000)), ("t", text(1, 50))]))
        },
        act: { life in
            try await life.collect()
            try await life.collect()
            // What goes and comes again.
            try await life.put([("gone", noise(2, 40_000))])
        })

    /// A pack of which two thirds are not needed any more, condemned already.
    static let repack = FaultScenario(
        name: "repack",
        prepare: { life in
            let (big, small) = (noise(1, 60_000), noise(2, 20_000))
            let both = try await life.put([("big", big), ("small", small)])
            try await life.put([("small", small)])
            life.forget(both)
            try await life.collect()
        },
        act: { life in
            try await life.collect()
            try await life.collect()
        })

    /// A pack with a bad chunk, another with the same content, and one with a bad trailer.
    static let repair = FaultScenario(
        name: "repair",
        prepare: { life in
            try await life.put([("a", noise(1, 30_000)), ("b", text(1, 50))])
            try await life.put([("c", noise(2, 20_000))])
            let other = try TemporaryFolder(below: "/dev/shm")
            let copy = try await StoreLife(other.path, Memory())
            try await copy.put([("a", noise(1, 30_000)), ("more", noise(4, 5_000))])
            for object in try await copy.backend.list(prefix: "packs/") {
                let writer = try await life.backend.put(object.key)
                try await writer.write(
                    try await copy.backend.get(object.key, range: 0..<object.size))
                try await writer.commit()
            }
            await copy.close()
            try await life.store.enterStrays()
        },
        act: { try await $0.check(CheckOptions(readsData: true, repairs: true)) },
        damage: { folder in
            for pack in try packs(folder) {
                let url = URL(fileURLWithPath: pack)
                var bytes = try Data(contentsOf: url)
                // The first pack that was written is the one with 30,000 bytes and little else.
                if bytes.count > 30_000, bytes.count < 34_000 {
                    bytes[1_000] ^= 4
                } else if bytes.count < 30_000 {
                    bytes[bytes.count - 20] ^= 1
                }
                try bytes.write(to: url)
            }
        },
        repair: CheckOptions(readsData: true, repairs: true))

    /// The index made anew from the packs.
    static let rebuild = FaultScenario(
        name: "rebuild",
        prepare: { life in
            try await life.put([("a", noise(1, 30_000))])
            try await life.put([("b", noise(2, 30_000)), ("c", floats(1, 2_000))])
        },
        act: { try await $0.check(CheckOptions(rebuildsIndex: true)) })

    /// The start after a death: a log that is not in its database yet, a pack that nobody knows, a file
    /// that was on its way.
    static let open = FaultScenario(
        name: "start",
        prepare: { life in
            try await life.put([("a", noise(1, 30_000)), ("b", text(1, 50))])
            let other = try TemporaryFolder(below: "/dev/shm")
            let copy = try await StoreLife(other.path, Memory())
            try await copy.put([("stray", noise(4, 5_000))])
            for object in try await copy.backend.list(prefix: "packs/") {
                let writer = try await life.backend.put(object.key)
                try await writer.write(
                    try await copy.backend.get(object.key, range: 0..<object.size))
                try await writer.commit()
            }
            await copy.close()
            let left = "\(life.folder)/tmp/.tmp-1-1"
            try Data([1, 2, 3]).write(to: URL(fileURLWithPath: left))
        }, act: nil, isLeftOpen: true)

    static func packs(_ folder: String) throws -> [String] {
        let root = "\(folder)/packs"
        return try FileManager.default.subpathsOfDirectory(atPath: root)
            .filter { $0.hasSuffix(".pack") }.map { "\(root)/\($0)" }
    }
}

typealias Memory = StoreLife.Memory
