import LinajeCatalog
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("What needs content") struct HoldTests {
    private func digest(_ byte: UInt8) throws -> SHA256Digest {
        try SHA256Digest([UInt8](repeating: byte, count: 32), noun: "digest")
    }

    private func needed(
        _ fixture: CatalogFixture, after last: SHA256Digest? = nil, limit: Int = 100
    ) async throws -> [SHA256Digest] {
        let now = fixture.clock.now()
        return try await fixture.read {
            try $0.neededContent(after: last, limit: limit, now: now).map(\.digest)
        }
    }

    @Test("runs, versions, logged models, data sets, holds and leases need their content")
    func roots() async throws {
        try await CatalogFixture.with { fixture in
            let (mount, dataset, hold, lease) = (
                try digest(9), try digest(5), try digest(1), try digest(7)
            )
            let run = try await fixture.change { try $0.createRun(NewRun(experimentID: 0)).id }
            try await fixture.change { transaction in
                try transaction.mountTree(run, path: nil, tree: mount, size: 1, files: 1)
                // Twice the same is one.
                try transaction.mountTree(
                    run, path: TreePath("model"), tree: mount, size: 1, files: 1)
                var additions = RunAdditions()
                additions.datasets = [
                    DatasetInput(
                        name: "mnist",
                        digests: [
                            try ContentDigest(algorithm: "sha256", value: dataset.bytes),
                            try ContentDigest(
                                algorithm: "md5", value: [UInt8](repeating: 3, count: 16)),
                        ])
                ]
                try transaction.logRun(run, additions)
                _ = try transaction.placeHold(hold, reason: "audit")
                try transaction.lease(
                    lease, until: Timestamp(microseconds: transaction.now.microseconds + 60_000_000)
                )
            }
            #expect(try await needed(fixture) == [hold, dataset, lease, mount])
            #expect(try await needed(fixture, after: hold, limit: 2) == [dataset, lease])
            #expect(try await needed(fixture, after: mount).isEmpty)
            let now = fixture.clock.now()
            let ours = try await fixture.read {
                try $0.neededContent(after: nil, limit: 9, now: now).filter(\.isOurs).map(\.digest)
            }
            #expect(ours == [hold, lease, mount])

            // A run that is marked as deleted can be restored.
            try await fixture.change { _ = try $0.updateRun(run, RunUpdate(lifecycle: .deleted)) }
            #expect(try await needed(fixture).contains(mount))
            let reasons = try await fixture.read {
                try $0.reasons(for: mount, now: now, limit: 9)
            }
            #expect(reasons.count == 2 && reasons[0].contains("can be restored"), "\(reasons)")
            fixture.clock.advance(.seconds(61))
            #expect(try await needed(fixture) == [hold, dataset, mount])
            let later = fixture.clock.now()
            #expect(try await !fixture.read { try $0.isContentNeeded(lease, now: later) })
            #expect(try await fixture.read { try $0.isContentNeeded(dataset, now: later) })
            #expect(try await fixture.change { try $0.forgetEndedLeases(limit: 10) } == 1)
        }
    }

    @Test("a hold says who and why, in the ledger too, until it is lifted")
    func holds() async throws {
        try await CatalogFixture.with { fixture in
            let (first, second) = (try digest(1), try digest(2))
            for tree in [second, first] {
                try await fixture.change { _ = try $0.placeHold(tree, reason: "case 1") }
            }
            try await fixture.change(by: CatalogFixture.bob) {
                _ = try $0.placeHold(first, reason: "case 2")
            }
            let all = try await fixture.read { try $0.holds(after: nil, limit: 10) }
            #expect(all.map(\.tree) == [first, second])
            #expect(all.map(\.reason) == ["case 2", "case 1"])
            #expect(all[0].principal == CatalogFixture.bob.name)
            #expect(
                try await fixture.read { try $0.holds(after: first, limit: 10) }.map(\.tree)
                    == [second])
            try await fixture.change { _ = try $0.liftHold(first) }
            await expectError(.notFound) {
                try await fixture.change { _ = try $0.liftHold(first) }
            }
            let ledger = try await fixture.read { try $0.verifyLedger() }
            #expect(ledger.firstBad == 0 && ledger.events == 4)
        }
    }

    @Test("a lease is only made longer")
    func leases() async throws {
        try await CatalogFixture.with { fixture in
            let tree = try digest(4)
            let begin = fixture.clock.now().microseconds
            for seconds in [60, 10] as [Int64] {
                try await fixture.change {
                    try $0.lease(
                        tree, until: Timestamp(microseconds: begin + seconds * 1_000_000))
                }
            }
            fixture.clock.advance(.seconds(30))
            #expect(try await needed(fixture) == [tree])
        }
    }
}
