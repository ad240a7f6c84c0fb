import LinajeDomain
import LinajeWire
import Testing

@Suite("ClientDebt")
struct ClientDebtTests {
    private static let patience = 20

    /// A connection that owes nothing.
    private func quiet() -> ClientDebt.Observation {
        ClientDebt.Observation(
            hasGreeted: true, received: 0, frames: 0, isMidFrame: false, sent: 0, unread: 0)
    }

    /// The tick at which the client is cut off, if it is within `ticks`; `change` makes what is seen
    /// at each.
    private func cut(
        within ticks: Int = 200, _ change: (Int, inout ClientDebt.Observation) -> Void
    ) -> (tick: Int, offence: ClientDebt.Offence)? {
        var debt = ClientDebt(patience: .seconds(Self.patience))
        var now = quiet()
        for tick in 1...ticks {
            change(tick, &now)
            if let offence = debt.tick(now) { return (tick, offence) }
        }
        return nil
    }

    @Test("who owes nothing is left alone for ever")
    func idle() {
        #expect(cut(within: 100_000) { _, _ in } == nil)
    }

    @Test("a client without a hello has ten seconds")
    func noHello() throws {
        let cut = try #require(cut { _, now in now.hasGreeted = false })
        #expect(cut == (11, .noHello))
    }

    @Test("a frame that does not go on is borne for the patience, not longer")
    func stoppedInAFrame() throws {
        let cut = try #require(
            cut { _, now in
                now.isMidFrame = true
                now.received = 7
            })
        #expect(cut == (Self.patience + 1, .slowFrame))
    }

    @Test("a byte now and then does not help")
    func dribble() throws {
        let cut = try #require(
            cut { _, now in
                now.isMidFrame = true
                now.received += 1
            })
        #expect(cut == (Self.patience + 1, .slowFrame))
    }

    @Test("a long frame that comes slowly but honestly may take its time")
    func honestFrame() {
        let rate = UInt64(Limits.slowClientBytes / Self.patience + 1)
        #expect(
            cut { _, now in
                now.isMidFrame = true
                now.received += rate
            } == nil)
    }

    @Test("in the middle of a frame at each tick, but never the same frame")
    func busy() {
        #expect(
            cut { _, now in
                now.isMidFrame = true
                now.received += 100
                now.frames += 1
            } == nil)
    }

    @Test("answers that nobody reads, whether more come or not", arguments: [0, 527, 100_000])
    func neverReads(more: UInt64) throws {
        let cut = try #require(
            cut { _, now in
                now.sent += more
                now.unread += max(more, now.unread == 0 ? 9_000 : 0)
            })
        #expect(cut == (Self.patience + 1, .unread))
    }

    @Test("reading a little of much is enough")
    func readsSlowly() {
        #expect(
            cut { tick, now in
                if tick == 1 {
                    now.sent = 1 << 30
                    now.unread = 1 << 30
                } else if tick % Self.patience == 0 {
                    now.unread -= 1_000
                }
            } == nil)
    }

    @Test("one answer under way at every tick is no debt")
    func lastAnswerUnderWay() {
        #expect(
            cut { _, now in
                now.sent += 527
                now.unread = 9_000
            } == nil)
    }

    @Test("a few small frames may stay unread")
    func allowance() {
        #expect(
            cut { tick, now in
                if tick == 1 { (now.sent, now.unread) = (3_000, 6_000) }
            } == nil)
    }

    @Test("it is asked how much is unread only when that may have changed or is owed")
    func asksRarely() {
        var debt = ClientDebt(patience: .seconds(Self.patience))
        var now = quiet()
        _ = debt.tick(now)
        #expect(!debt.mayOweReading(sent: 0))
        #expect(debt.mayOweReading(sent: 10))
        (now.sent, now.unread) = (10, 10)
        _ = debt.tick(now)
        #expect(debt.mayOweReading(sent: 10))
        now.unread = 0
        _ = debt.tick(now)
        #expect(!debt.mayOweReading(sent: 10))
    }
}
