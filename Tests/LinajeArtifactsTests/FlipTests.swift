import Dispatch
import FilesystemStorage
import Foundation
import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Synchronization
import Testing

@testable import LinajeArtifacts

/// Every byte of a store is flipped, and the record that owns it is verified.
///
/// `LINAJE_FLIPS=all` flips each bit of each byte of the packs, and each byte of the index. Where a flip
/// leaves an index that says the same, row by row, and that SQLite finds whole, then every eighth time
/// a store is used on it as well, which takes far longer.
@Suite("Every byte of a store, flipped", .timeLimit(.minutes(360)))
struct FlipTests {
    static let isWhole = ProcessInfo.processInfo.environment["LINAJE_FLIPS"] == "all"
    static let seed =
        ProcessInfo.processInfo.environment["LINAJE_SEED"].flatMap { UInt64($0) } ?? 1_859

    /// How many flips fell on what, and what became of them.
    struct Tally: Sendable {
        var detected: [String: Int] = [:]
        var harmless: [String: Int] = [:]

        mutating func add(_ other: Tally) {
            detected.merge(other.detected, uniquingKeysWith: +)
            harmless.merge(other.harmless, uniquingKeysWith: +)
        }

        var total: Int { detected.values.reduce(0, +) + harmless.values.reduce(0, +) }

        var text: String {
            let parts = Set(detected.keys).union(harmless.keys).sorted().map {
                "\($0) \(detected[$0] ?? 0)"
                    + (harmless[$0].map { " and \($0) harmless" } ?? "")
            }
            return "\(detected.values.reduce(0, +)) of \(total) detected, "
                + "\(harmless.values.reduce(0, +)) harmless (\(parts.joined(separator: ", ")))"
        }
    }

    /// A store of a little more than 4 MiB: what cannot be compressed, text, numbers, small and large.
    private func filled(_ life: StoreLife) async throws {
        var number: UInt64 = 0
        func size(_ bound: UInt64) -> Int {
            number += 1
            return Int(SplitMix64.bytes(seed: number, count: 2)[0]) * Int(bound) / 256 + 200
        }
        var total: UInt64 = 0
        while total < 4 << 20 {
            var files: StoreLife.Files = []
            for index in 0..<120 {
                let bytes =
                    switch index % 6 {
                    case 0: FaultScenario.text(number, size(500))
                    case 1: FaultScenario.floats(number, size(1_500))
                    default: FaultScenario.noise(number, size(4_500))
                    }
                files.append(("f\(index)", bytes))
            }
            if total == 0 { files.append(("large", FaultScenario.noise(9, 70_000))) }
            try await life.put(files)
            if total == 0 { try await life.putTogether(SmallFileTests.alike(150)) }
            total = try await life.backend.list(prefix: "packs/").reduce(0) { $0 + $1.size }
        }
    }

    @Test("of the packs: each flip is detected by the record that owns the byte")
    func packs() async throws {
        let folder = try TemporaryFolder(below: StorageFaultTests.quickFolder)
        let life = try await StoreLife(folder.path, Memory())
        try await filled(life)
        let objects = try await life.backend.list(prefix: "packs/")
        #expect(objects.reduce(0) { $0 + $1.size } >= 4 << 20)
        var flips: [PackFlips] = []
        for object in objects {
            let name = try #require(PackName(key: object.key))
            flips.append(
                PackFlips(
                    name: name,
                    header: try await life.store.reader.header(of: name, size: object.size),
                    bytes: try await life.backend.get(object.key, range: 0..<object.size)))
        }
        let sum = Shared(Tally())
        let all = flips
        // Not on the cooperative pool, which other tests need.
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            DispatchQueue.global().async {
                DispatchQueue.concurrentPerform(iterations: all.count) { index in
                    let tally = all[index].run()
                    sum.with { $0.add(tally) }
                }
                done.resume()
            }
        }
        let tally = sum.now
        let bytes = objects.reduce(0) { $0 + $1.size }
        Campaign.report("flips in packs of \(bytes) bytes: \(tally.text)")
        #expect(tally.total == Int(bytes) * (Self.isWhole ? 8 : 1))
        #expect(tally.harmless.isEmpty, "a byte of a pack that no check covers")
        for part in [
            "magic", "header", "trailer", "stored chunk", "zstd chunk", "planes chunk", "recipe",
            "tree", "dictionary", "small chunk",
        ] { #expect(tally.detected[part] ?? 0 > 0, "no flip fell on a \(part)") }
        try await throughFiles(life, objects)
        await life.close()
    }

    /// Some of the flips again, in the file itself, found by the verification of whole packs.
    private func throughFiles(
        _ life: StoreLife, _ objects: [(key: String, size: UInt64)]
    ) async throws {
        var generator = SplitMix64(seed: Self.seed)
        let verifier = PackVerifier(
            backend: life.backend, index: life.store.index, reader: life.store.reader,
            pool: life.store.pool)
        for _ in 0..<(Self.isWhole ? 2_000 : 60) {
            let object = objects[Int(generator.next() % UInt64(objects.count))]
            let place = Int(generator.next() % object.size)
            let url = URL(fileURLWithPath: "\(life.folder)/\(object.key)")
            let file = try FileHandle(forUpdating: url)
            func flip() throws {
                try file.seek(toOffset: UInt64(place))
                let byte = try file.read(upToCount: 1)?.first ?? 0
                try file.seek(toOffset: UInt64(place))
                try file.write(contentsOf: [byte ^ 1 << UInt8(place % 8)])
            }
            try flip()
            let name = try #require(PackName(key: object.key))
            var isFound = false
            do {
                isFound = try await !verifier.verify(name, size: object.size) { _ in }
                    .damages.isEmpty
            } catch let error as LinajeError where error.code == .corrupt {
                isFound = true
            }
            #expect(isFound, "byte \(place) of \(object.key)")
            try flip()
            try file.close()
        }
        #expect(try await life.check().isEmpty, "the flips were not taken back")
    }

    @Test("of the index: each flip is detected, or does no harm")
    func index() async throws {
        let folder = try TemporaryFolder(below: StorageFaultTests.quickFolder)
        let memory = Memory()
        let life = try await StoreLife(folder.path, memory)
        try await FaultScenario.put.prepare(life)
        try await life.put([("a", FaultScenario.noise(3, 30_000)), ("b", [1, 2, 3])])
        try await life.put((0..<60).map { ("f\($0)", Array("file \($0)".utf8)) })
        life.forget(try await life.put([("c", FaultScenario.noise(4, 3_000))]))
        try await life.collect()
        await life.close()
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/catalog.db")))
        let count = Self.isWhole ? bytes.count : 100
        let shift = Int(SplitMix64.bytes(seed: Self.seed, count: 1)[0])
        let sum = Shared(Tally())
        let store = folder.path
        let rows = try IndexFlip.rows(SQLiteFile("\(store)/catalog.db", for: .look))
        #expect(rows.count > 20)
        try await twoAtATime(count, of: "flips in the index") { index in
            let place = (index * bytes.count / count + shift) % bytes.count
            let flip = try IndexFlip(store, memory.copy(), bytes, place, rows: rows)
            let (verdict, isDetected) = await flip.verdict()
            sum.with {
                if isDetected {
                    $0.detected[verdict, default: 0] += 1
                } else {
                    $0.harmless[verdict, default: 0] += 1
                }
            }
        }
        let tally = sum.now
        Campaign.report("flips in an index of \(bytes.count) bytes: \(tally.text)")
        #expect(tally.total == count)
    }
}

/// The flips of one pack, each verified as a reader does it: blob by its check, header and trailer as
/// they are read.
private struct PackFlips: Sendable {
    let name: PackName
    let header: PackHeader
    let bytes: [UInt8]

    func run() -> FlipTests.Tally {
        var tally = FlipTests.Tally()
        var dictionary: CompressionDictionary?
        for entry in header.entries { flip(entry, &dictionary, &tally) }
        let end = bytes.count - PackHeader.trailerBytes
        let first = header.entries.last.map { Int($0.offset) + Int($0.storedLength) } ?? 8
        for (part, range) in [
            ("magic", 0..<8), ("header", first..<end), ("trailer", end..<bytes.count),
        ] {
            flip(part, range, first: first, end: end, &tally)
        }
        return tally
    }

    private func bits(_ place: Int) -> Range<UInt8> {
        if FlipTests.isWhole { return 0..<8 }
        let bit = UInt8((UInt64(place) &* 0x9E37_79B9_7F4A_7C15 &+ FlipTests.seed) >> 61)
        return bit..<bit + 1
    }

    private func flip(
        _ entry: PackEntry, _ dictionary: inout CompressionDictionary?,
        _ tally: inout FlipTests.Tally
    ) {
        let start = Int(entry.offset)
        let original = Array(bytes[start..<start + Int(entry.storedLength)])
        let location = BlobLocation(entry, in: name)
        let needed = dictionary
        func content(_ stored: [UInt8]) -> [UInt8]? {
            try? BlobReader.content(stored, at: location, dictionary: needed)
        }
        let right = content(original)
        #expect(right != nil)
        if entry.key.kind == .dictionary, let right {
            dictionary = try? CompressionDictionary.read(right, stored: original, at: location)
        }
        let part = FlipTests.part(entry)
        var stored = original
        let check = entry.check.bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        #expect(checkWord(stored) == check)
        var detected = 0
        var harmless = 0
        for place in stored.indices {
            for bit in bits(start + place) {
                stored[place] ^= 1 << bit
                // What `BlobReader.content` compares before anything else.
                if checkWord(stored) == check {
                    harmless += 1
                    #expect(
                        content(stored) == right,
                        "byte \(start + place) of \(name.key) is wrong and not noticed")
                } else {
                    detected += 1
                }
                stored[place] ^= 1 << bit
            }
        }
        // The reader itself, at one byte.
        let place = start % stored.count
        stored[place] ^= 1
        #expect(content(stored) == nil)
        tally.detected[part, default: 0] += detected
        if harmless > 0 { tally.harmless[part, default: 0] += harmless }
    }

    private func flip(
        _ part: String, _ range: Range<Int>, first: Int, end: Int, _ tally: inout FlipTests.Tally
    ) {
        var magic = Array(bytes[0..<8])
        var list = Array(bytes[first..<end])
        var tail = Array(bytes[end...])
        #expect(isRight(magic, list, tail))
        let wanted = checkWord(list)
        var harmless = 0
        for place in range {
            for bit in bits(place) {
                func turn() {
                    switch part {
                    case "magic": magic[place] ^= 1 << bit
                    case "header": list[place - first] ^= 1 << bit
                    default: tail[place - end] ^= 1 << bit
                    }
                }
                turn()
                let isNoticed =
                    switch part {
                    // What `PackHeader` compares before anything else.
                    case "header": checkWord(list) != wanted || !isRight(magic, list, tail)
                    default: !isRight(magic, list, tail)
                    }
                if isNoticed {
                    tally.detected[part, default: 0] += 1
                } else {
                    harmless += 1
                }
                turn()
            }
        }
        list[range.count % list.count] ^= 1
        #expect(!isRight(magic, list, tail))
        if harmless > 0 { tally.harmless[part] = harmless }
    }

    private func isRight(_ magic: [UInt8], _ list: [UInt8], _ tail: [UInt8]) -> Bool {
        let size = UInt64(bytes.count)
        guard magic == PackHeader.magic,
            let trailer = try? PackTrailer(tail, size: size, pack: name)
        else { return false }
        return (try? PackHeader(list, trailer: trailer, size: size, pack: name)) != nil
    }
}

extension FlipTests {
    fileprivate static func part(_ entry: PackEntry) -> String {
        guard entry.key.kind == .chunk else { return entry.key.kind.description }
        switch entry.codec {
        case .stored: return "stored chunk"
        case .zstd: return "zstd chunk"
        case .dictionary: return "small chunk"
        default: return "planes chunk"
        }
    }
}

/// A copy of the index with one flipped bit, beside the packs.
private struct IndexFlip {
    private let folder: TemporaryFolder
    private let memory: Memory
    private let place: Int
    private let rows: [String]

    init(
        _ store: String, _ memory: Memory, _ bytes: [UInt8], _ place: Int, rows: [String]
    ) throws {
        self.rows = rows
        self.memory = memory
        self.place = place
        folder = try TemporaryFolder(below: StorageFaultTests.quickFolder)
        for name in ["packs", "tmp"] {
            try FileManager.default.copyItem(
                atPath: "\(store)/\(name)", toPath: "\(folder.path)/\(name)")
        }
        var flipped = bytes
        flipped[place] ^= 1 << UInt8((UInt64(place) &* 0x9E37_79B9 &+ FlipTests.seed) % 8)
        try Data(flipped).write(to: URL(fileURLWithPath: "\(folder.path)/catalog.db"))
    }

    /// By what it was detected; or why it is harmless: everything is there and right, a put and two
    /// collections change nothing about that.
    func verdict() async -> (String, isDetected: Bool) {
        let isSame: Bool
        do {
            let file = try SQLiteFile("\(folder.path)/catalog.db", for: .look)
            guard file.problems().isEmpty else { return ("integrity check", true) }
            isSame = try Self.rows(file) == rows
            if isSame, FlipTests.isWhole, !place.isMultiple(of: 8) {
                return ("in unused space", false)
            }
        } catch {
            return ("opening", true)
        }
        let life: StoreLife
        do {
            life = try await StoreLife(folder.path, memory)
        } catch {
            return ("start", true)
        }
        let found = await lookAt(life, isSame)
        await life.close()
        return found
    }

    /// All that the tables say.
    static func rows(_ file: SQLiteFile) throws -> [String] {
        let tables = try file.all(
            "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
        ) { (try $0.text(0), $0.isNull(1) ? "" : try $0.text(1)) }
        var out: [String] = []
        for (name, sql) in tables {
            out.append(sql)
            guard sql.hasPrefix("CREATE TABLE") else { continue }
            let columns = try file.all("SELECT name FROM pragma_table_info('\(name)')") {
                try $0.text(0)
            }
            try file.query("SELECT * FROM \(name) ORDER BY rowid", []) { row in
                out.append((0..<columns.count).map { "\(row[$0])" }.joined(separator: " "))
            }
        }
        return out
    }

    private func lookAt(
        _ life: StoreLife, _ isSame: Bool
    ) async -> (String, isDetected: Bool) {
        do {
            guard try await life.check(CheckOptions()).isEmpty else { return ("fsck", true) }
            let lost = await life.losses()
            #expect(!lost.contains { $0.hasSuffix("is wrong") }, "byte \(place): \(lost)")
            guard lost.isEmpty else { return ("reading", true) }
        } catch {
            return ("fsck", true)
        }
        do {
            try await life.put([("after", FaultScenario.noise(5, 2_000))])
            try await life.collect()
            try await life.collect()
            let lost = await life.losses()
            let found = try await life.check()
            #expect(
                lost.isEmpty && found.isEmpty, "byte \(place) was not noticed: \(lost) \(found)")
            return (isSame ? "in unused space" : "without a consequence", false)
        } catch {
            return ("the next change", true)
        }
    }
}
