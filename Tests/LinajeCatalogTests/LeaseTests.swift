import LinajeCatalog
import LinajeDomain
import Testing

@Suite struct LeaseTests {
    @Test("silence stalls a run and says since when, a sign of life resumes it")
    func heartbeats() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change {
                _ = try $0.createRun(
                    NewRun(
                        id: .of(1), experimentID: 0, lease: .heartbeat(timeout: .seconds(10))))
            }
            let heard = fixture.clock.now()
            fixture.clock.advance(.seconds(10))
            #expect(
                try await fixture.change { try $0.stall(.of(1), heardAt: heard) } == true)
            let stalled = try await fixture.read { try $0.run(.of(1)) }
            #expect(stalled.status == .stalled)
            #expect(stalled.endedCause == "no heartbeat since \(heard.text)")
            #expect(stalled.ownerHeardAt == heard)
            #expect(
                try await fixture.read { try $0.runsWithLiveLease() }.map(\.status) == [.stalled])
            try await fixture.change { try $0.heartbeat(.of(1)) }
            let resumed = try await fixture.read { try $0.run(.of(1)) }
            #expect(resumed.status == .running)
            #expect(resumed.endedCause == "")
            #expect(resumed.ownerHeardAt == fixture.clock.now())
            let again = fixture.clock.now()
            try await fixture.change { try $0.stall(.of(1), heardAt: again) }
            let attached = try await fixture.change {
                try $0.attach(.of(1), .heartbeat(timeout: .milliseconds(1_500)))
            }
            #expect(attached.status == .running)
            #expect(attached.lease == .heartbeat(timeout: .milliseconds(1_500)))
        }
    }

    @Test("a sign of life that the catalog has noted since wins over silence")
    func heardMeanwhile() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change {
                _ = try $0.createRun(
                    NewRun(id: .of(1), experimentID: 0, lease: .heartbeat(timeout: .seconds(10))))
            }
            let heard = fixture.clock.now()
            fixture.clock.advance(.seconds(10))
            try await fixture.change { try $0.noteHeard([.of(1): fixture.clock.now()]) }
            #expect(
                try await fixture.change { try $0.stall(.of(1), heardAt: heard) } == false)
            try await fixture.change { try $0.noteHeard([.of(1): heard]) }
            #expect(
                try await fixture.read { try $0.run(.of(1)).ownerHeardAt } == fixture.clock.now())
        }
    }

    @Test("only silence of a heartbeat lease stalls a run")
    func otherLeases() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change {
                _ = try $0.createRun(NewRun(id: .of(1), experimentID: 0))
                _ = try $0.createRun(
                    NewRun(id: .of(2), experimentID: 0, lease: .process(pid: 1, start: 2)))
            }
            fixture.clock.advance(.seconds(1_000_000))
            for number in UInt64(1)...3 {
                #expect(
                    try await fixture.change {
                        try $0.stall(.of(number), heardAt: .init(microseconds: .max))
                    } == false)
            }
        }
    }

    @Test("after a restart the runs with an owner to watch are known, with their leases")
    func liveLeases() async throws {
        try await CatalogFixture.with { fixture in
            let process = Lease.process(pid: 42, start: .max, boot: "b-1", supervises: true)
            let heartbeat = Lease.heartbeat(timeout: .seconds(600))
            let created = fixture.clock.now()
            try await fixture.change { catalog in
                let leases: [Lease] = [.detached, process, heartbeat, process]
                for (number, lease) in leases.enumerated() {
                    _ = try catalog.createRun(
                        NewRun(id: .of(UInt64(number)), experimentID: 0, lease: lease))
                }
                _ = try catalog.updateRun(.of(3), RunUpdate(status: .killed))
            }
            fixture.clock.advance(.seconds(3))
            try await fixture.change { try $0.heartbeat(.of(2)) }
            let live = try await fixture.read { try $0.runsWithLiveLease() }
            #expect(live.map(\.id) == [.of(1), .of(2)])
            #expect(live.map(\.lease) == [process, heartbeat])
            #expect(live.map(\.lastHeartbeat) == [created, fixture.clock.now()])
        }
    }

    @Test("a run that has ended takes no lease and no heartbeat")
    func endedRun() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.change {
                _ = try $0.createRun(NewRun(id: .of(1), experimentID: 0))
                _ = try $0.updateRun(.of(1), RunUpdate(status: .finished))
            }
            await expectError(.runNotActive, "RUNNING") {
                try await fixture.change { _ = try $0.attach(.of(1), .detached) }
            }
            await expectError(.runNotActive, "FINISHED") {
                try await fixture.change { try $0.heartbeat(.of(1)) }
            }
        }
    }

    @Test(
        "a lease that cannot be is refused",
        arguments: [
            Lease.heartbeat(timeout: .zero), .heartbeat(timeout: .seconds(-1)),
            .heartbeat(timeout: .seconds(Int64.max)), .process(pid: -1, start: 1),
            .process(pid: 1, start: 1, boot: String(repeating: "b", count: 65)),
        ])
    func badLease(_ lease: Lease) async throws {
        try await CatalogFixture.with { fixture in
            await expectError(.invalidArgument, "lease") {
                try await fixture.change {
                    _ = try $0.createRun(NewRun(experimentID: 0, lease: lease))
                }
            }
        }
    }
}
