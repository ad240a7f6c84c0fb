import LinajeDomain
import LinajePluginKit
import Testing

@testable import LinajeCatalog

@Suite struct EventTimesTests {
    /// Enough events for several batches, one a second, as a version before the times left them.
    private static func withOldLedger(
        _ body: (CatalogFixture, [Timestamp]) async throws -> Void
    ) async throws {
        try await CatalogFixture.with { fixture in
            var moments: [Timestamp] = []
            for number in 0..<3 {
                fixture.clock.advance(.seconds(1))
                let tags = (0..<450).map { Tag(key: "k\($0)", value: "\(number)") }
                try await fixture.change { catalog in
                    if number == 0 {
                        _ = try catalog.createRegisteredModel(name: "m")
                    }
                    _ = try catalog.updateRegisteredModel("m", tags: TagChanges(set: tags))
                }
                moments.append(fixture.clock.now())
            }
            try await fixture.sql("DELETE FROM event_times")
            try await fixture.sql(
                """
                UPDATE linaje_backfills SET place = '', done = 0, finished = 0,
                    total = (SELECT COUNT(*) FROM events)
                """)
            try await body(fixture, moments)
        }
    }

    private static func sequences(
        _ fixture: CatalogFixture, since: Timestamp?, until: Timestamp?
    ) async throws -> [UInt64] {
        var out: [UInt64] = []
        var token = ""
        repeat {
            let query = EventQuery(
                since: since, until: until, page: try Page(limit: 200, token: token))
            let page = try await fixture.read { try $0.events(query) }
            out += page.elements.map(\.sequence)
            token = page.nextPageToken
        } while !token.isEmpty
        return out
    }

    @Test("a search by time is answered the same before, during and after the backfill")
    func answers() async throws {
        try await Self.withOldLedger { fixture, moments in
            let searches: [(Timestamp?, Timestamp?, ClosedRange<UInt64>?)] = [
                (moments[0], moments[1], 1...451), (moments[1], moments[2], 452...901),
                (moments[2], nil, 902...1_351), (nil, moments[0], nil),
                (nil, moments[2], 1...901),
            ]
            var seen: [Int] = []
            while true {
                for (since, until, wanted) in searches {
                    let found = try await Self.sequences(fixture, since: since, until: until)
                    #expect(found == wanted.map(Array.init) ?? [], "after \(seen)")
                }
                #expect(try await fixture.read { try $0.verifyLedger() }.firstBad == 0)
                guard let progress = try await fixture.store.backfill() else { break }
                seen.append(progress.percent)
            }
            #expect(seen == [37, 74, 100])
            #expect(try await fixture.count("event_times") == 1_351)
        }
    }

    @Test("events that come during the backfill are in the answers, and entered once")
    func during() async throws {
        try await Self.withOldLedger { fixture, moments in
            _ = try await fixture.store.backfill()
            fixture.clock.advance(.seconds(60))
            try await fixture.model("other")
            let late = try await Self.sequences(fixture, since: fixture.clock.now(), until: nil)
            #expect(late == [1_352, 1_353])
            while try await fixture.store.backfill() != nil {}
            #expect(try await fixture.count("event_times") == 1_353)
            #expect(
                try await Self.sequences(fixture, since: fixture.clock.now(), until: nil) == late)
            #expect(try await fixture.store.pendingBackfills().isEmpty)
        }
    }

    @Test("a time that is not the event's own, or is gone, is found when the ledger is verified")
    func tampered() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("m")
            try await fixture.sql("UPDATE event_times SET at_us = at_us + 1 WHERE sequence = 2")
            #expect(try await fixture.read { try $0.verifyLedger() }.firstBad == 2)
            try await fixture.sql("DELETE FROM event_times WHERE sequence = 2")
            #expect(try await fixture.read { try $0.verifyLedger() }.firstBad == 2)
        }
    }
}
