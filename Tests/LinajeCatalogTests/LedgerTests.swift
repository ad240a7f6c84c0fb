import Foundation
import LinajeCatalog
import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Testing

@Suite struct LedgerTests {
    @Test("canonical bytes and hashes are those of the published vectors")
    func vectors() throws {
        let url = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../proto-spec/vectors/events.json")
        let vectors = try JSONDecoder().decode(EventVectors.self, from: Data(contentsOf: url))
        var previous = LedgerChain.origin
        #expect(!vectors.events.isEmpty)
        for event in vectors.events {
            let facts = event.facts.mapValues(\.value)
            let canonical = CanonicalJSON.encode(facts)
            #expect(Hex.encode(canonical) == event.canonical)
            #expect("\(previous)" == event.previousHash)
            previous = LedgerChain.hash(
                previous: previous, sequence: event.sequence, canonical: canonical)
            #expect("\(previous)" == event.hash)
        }
        #expect("\(previous)" == vectors.head)
    }

    @Test("an untouched ledger verifies, empty and full, and its head is the last hash")
    func untouched() async throws {
        try await CatalogFixture.with { fixture in
            let empty = try await fixture.read { try $0.verifyLedger() }
            #expect(empty == LedgerVerification(events: 0, head: nil))
            try await Self.fill(fixture)
            let (full, events) = try await fixture.read {
                (try $0.verifyLedger(), try $0.events(EventQuery(page: Page())).elements)
            }
            #expect(full == LedgerVerification(events: 5, head: events.last?.hash))
            #expect(events.map(\.sequence) == [1, 2, 3, 4, 5])
            #expect(events.first?.previousHash == LedgerChain.origin)
            let text = String(decoding: events[1].canonical, as: UTF8.self)
            #expect(
                text == """
                    {"at":1700000000000000,"door":"socket","model":"é","op":"version.create",\
                    "principal":"uid:1000","source":"tree:sha256:\(SHA256Digest.of(1))",\
                    "tree":"\(SHA256Digest.of(1))","version":1}
                    """)
        }
    }

    @Test("any flipped byte of any column of any event is found and the event is named")
    func flippedBytes() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture)
            for sequence in Int64(1)...5 {
                for column in ["canonical", "previous_hash", "hash", "model", "new_name"] {
                    let missed = try await Self.flipEachByte(fixture, column, of: sequence)
                    #expect(missed.isEmpty, "\(column) of event \(sequence): \(missed)")
                }
            }
        }
    }

    @Test("any flipped bit of a number or of the head is found")
    func flippedNumbers() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture)
            for bit in 0..<64 {
                let mask = Int64(bitPattern: 1 << UInt64(bit))
                for sequence in Int64(1)...5 {
                    let version = try await Self.tampered(
                        fixture,
                        (
                            "UPDATE events SET version = ? WHERE sequence = ?",
                            [
                                .integer((sequence == 2 ? 1 : sequence == 3 ? 1 : 0) ^ mask),
                                .integer(sequence),
                            ]
                        ))
                    #expect(version.firstBad == UInt64(sequence), "version, bit \(bit)")
                    // Numbers that are taken cannot be written: the key of the table refuses them.
                    guard !(1...5).contains(sequence ^ mask) else { continue }
                    let number = try await Self.tampered(
                        fixture,
                        (
                            "UPDATE events SET sequence = ? WHERE sequence = ?",
                            [.integer(sequence ^ mask), .integer(sequence)]
                        ))
                    // A number below all others takes the first place.
                    let expected = sequence ^ mask < 1 ? 1 : UInt64(sequence)
                    #expect(number.firstBad == expected, "sequence \(sequence), bit \(bit)")
                    #expect(number.finding.contains("event \(expected)"))
                }
                let head = try await Self.tampered(
                    fixture, ("UPDATE ledger_head SET sequence = ?", [.integer(5 ^ mask)]))
                #expect(head.firstBad != 0, "head, bit \(bit)")
            }
            for index in 0..<32 {
                let head = try await fixture.read { try $0.verifyLedger().head?.bytes ?? [] }
                var bytes = head
                bytes[index] ^= 1
                let result = try await Self.tampered(
                    fixture, ("UPDATE ledger_head SET hash = ?", [.blob(bytes)]))
                #expect(result.firstBad == 5)
            }
        }
    }

    @Test("a deleted event is found, the last one too")
    func deletion() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture)
            for sequence in Int64(1)...5 {
                let result = try await Self.tampered(
                    fixture, ("DELETE FROM events WHERE sequence = ?", [.integer(sequence)]))
                #expect(result.firstBad == UInt64(sequence))
                #expect(result.finding.contains("event \(sequence) is missing"))
            }
            let all = try await Self.tampered(fixture, ("DELETE FROM events", []))
            #expect(all.firstBad == 1)
            let head = try await Self.tampered(fixture, ("DELETE FROM ledger_head", []))
            #expect(head.firstBad == 5)
        }
    }

    @Test("two events that changed places are found")
    func reordering() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture)
            for (left, right) in [(1, 2), (2, 3), (2, 5), (4, 5)] {
                let result = try await Self.tampered(
                    fixture,
                    ("UPDATE events SET sequence = -1 WHERE sequence = \(left)", []),
                    ("UPDATE events SET sequence = \(left) WHERE sequence = \(right)", []),
                    ("UPDATE events SET sequence = \(right) WHERE sequence = -1", []))
                #expect(result.firstBad == UInt64(left))
            }
        }
    }

    @Test("an inserted event is found, even one that continues the chain")
    func insertion() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture)
            let last = try await fixture.read {
                try $0.events(EventQuery(page: Page())).elements[4]
            }
            let hash = LedgerChain.hash(
                previous: last.hash, sequence: 6, canonical: last.canonical)
            let insert = """
                INSERT INTO events
                    (sequence, canonical, previous_hash, hash, model, version, new_name)
                SELECT ?, canonical, ?, ?, model, version, new_name FROM events WHERE sequence = 5
                """
            for sequence in [Int64(6), 0, -1, 100] {
                let result = try await Self.tampered(
                    fixture,
                    (
                        insert,
                        [
                            .integer(sequence), .blob(last.hash.bytes), .blob(hash.bytes),
                        ]
                    ))
                #expect(result.firstBad == (sequence < 6 ? 1 : 6), "\(sequence)")
            }
        }
    }

    @Test("columns of another type are found rather than believed or fatal")
    func wrongTypes() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture)
            for change in [
                "sequence = 'two'", "canonical = 'text'", "canonical = x''", "hash = 7",
                "previous_hash = x'00'", "model = x'00'", "version = 'one'", "new_name = 'x'",
            ] {
                let result = try await Self.tampered(
                    fixture, ("UPDATE events SET \(change) WHERE sequence = 2", []))
                #expect(result.firstBad == 2, "\(change): \(result.finding)")
            }
            let head = try await Self.tampered(
                fixture, ("UPDATE ledger_head SET hash = 'text'", []))
            #expect(head.firstBad == 5)
        }
    }

    @Test("a ledger that lost its head takes no further event")
    func lostHead() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture)
            try await fixture.sql("DELETE FROM ledger_head")
            await expectError(.corrupt, "head") {
                try await fixture.change { _ = try $0.createRegisteredModel(name: "x") }
            }
        }
    }

    @Test("the history of a name holds its deleted and re-created models")
    func recreated() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris")
            try await fixture.change { try $0.deleteRegisteredModel("iris") }
            try await fixture.model("rose")
            try await fixture.model("iris")
            #expect(
                try await fixture.operations(model: "iris") == [
                    "model.create", "version.create 1", "version.delete 1", "model.delete",
                    "model.create", "version.create 1",
                ])
            #expect(
                try await fixture.operations(model: "iris", version: 1) == [
                    "version.create 1", "version.delete 1", "version.create 1",
                ])
            #expect(try await fixture.operations(model: "tulip").isEmpty)
        }
    }

    /// Five events: create, version 1, its stage, a tag, a renaming.
    private static func fill(_ fixture: CatalogFixture) async throws {
        try await fixture.model("é")
        try await fixture.change { catalog in
            _ = try catalog.transitionStage("é", 1, to: .staging, comment: "\"trial\"\n")
            _ = try catalog.updateRegisteredModel(
                "é", newName: "iris", tags: TagChanges(set: [Tag(key: "k", value: "v")]))
        }
    }

    /// Runs statements, verifies, and undoes them.
    private static func tampered(
        _ fixture: CatalogFixture, _ statements: (sql: String, arguments: [SQLValue])...
    ) async throws -> LedgerVerification {
        struct Undo: Error { var result: LedgerVerification }
        do {
            return try await fixture.backend.write { connection -> LedgerVerification in
                for statement in statements {
                    let changed = try connection.execute(statement.sql, statement.arguments)
                    #expect(changed > 0, "\(statement.sql) changed nothing")
                }
                throw Undo(result: try CatalogReader(connection: connection).verifyLedger())
            }
        } catch let undo as Undo {
            return undo.result
        }
    }

    /// Flips each byte of a column of an event in turn; says which flips were not found.
    private static func flipEachByte(
        _ fixture: CatalogFixture, _ column: String, of sequence: Int64
    ) async throws -> [Int] {
        try await fixture.backend.write { connection in
            let isText = column == "model" || column == "new_name"
            let original = try connection.first(
                "SELECT \(column) FROM events WHERE sequence = ?", [.integer(sequence)]
            ) { isText ? ($0.isNull(0) ? [] : Array(try $0.text(0).utf8)) : try $0.blob(0) }
            guard let original else { return [-1] }
            let update = """
                UPDATE events SET \(column) = \(isText ? "CAST(? AS TEXT)" : "?")
                WHERE sequence = ?
                """
            let reader = CatalogReader(connection: connection)
            var missed: [Int] = []
            for index in original.indices {
                for mask in [UInt8(1), 0x20, 0x80] {
                    var bytes = original
                    bytes[index] ^= mask
                    try connection.execute(update, [.blob(bytes), .integer(sequence)])
                    let result = try reader.verifyLedger()
                    if result.firstBad != UInt64(sequence)
                        || !result.finding.contains("event \(sequence)")
                    {
                        missed.append(index)
                    }
                }
            }
            guard !original.isEmpty else { return [] }
            try connection.execute(update, [.blob(original), .integer(sequence)])
            return try reader.verifyLedger().firstBad == 0 ? missed : missed + [-2]
        }
    }
}

/// `proto-spec/vectors/events.json`.
private struct EventVectors: Decodable {
    struct Event: Decodable {
        var sequence: UInt64
        var facts: [String: Fact]
        var canonical: String
        var previousHash: String
        var hash: String
    }

    /// A text or a whole number.
    struct Fact: Decodable {
        var value: CanonicalJSON.Value

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int64.self) {
                value = .int(number)
            } else {
                value = .string(try container.decode(String.self))
            }
        }
    }

    var events: [Event]
    var head: String
}
