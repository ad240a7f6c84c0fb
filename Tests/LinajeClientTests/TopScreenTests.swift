import LinajeDomain
import LinajeWire
import Testing

@testable import LinajeClient
@testable import LinajeCommands

@Suite("linaje top")
struct TopScreenTests {
    private let plain = TextStyle(isColored: false)

    private func status(_ change: (inout Linaje_V1_Status) -> Void = { _ in }) -> DaemonStatus {
        var message = Linaje_V1_Status()
        message.version = "0.1.0"
        message.pid = 7
        message.startedAtUs = 1_000_000_000
        message.connections = 3
        message.queueLimitBytes = 64 << 20
        message.freeBytes = 50 << 30
        message.totalBytes = 100 << 30
        message.residentBytes = 40 << 20
        message.commitLatency.upperBoundUs = [1_000, 2_000]
        message.commitLatency.cumulativeCount = [0, 0]
        change(&message)
        return DaemonStatus(message)
    }

    private func reading(
        _ now: DaemonStatus, after before: DaemonStatus?, seconds: Int64 = 2
    ) -> TopReading {
        TopReading(
            now, at: Timestamp(microseconds: 1_000_000_000 + 10_000_000 * seconds), after: before,
            elapsed: .seconds(seconds))
    }

    private func screen(_ readings: TopReading...) -> TopScreen {
        var history = TopHistory()
        for reading in readings { history.add(reading) }
        return TopScreen(history: history, socket: "/s", interval: .seconds(1))
    }

    @Test("rates are the difference of two states over the time between them")
    func rates() {
        let before = status {
            $0.points = 1_000; $0.calls = 10; $0.cpuUs = 1_000_000
        }
        let after = status {
            $0.points = 2_001_000
            $0.calls = 30
            $0.failedCalls = 4
            $0.cpuUs = 2_000_000
            $0.storedBytes = 4 << 20
            $0.commitLatency.cumulativeCount = [10, 10]
            $0.commitLatency.count = 10
        }
        let reading = reading(after, after: before)
        #expect(reading.pointsPerSecond == 1_000_000 && reading.callsPerSecond == 10)
        #expect(reading.failedCallsPerSecond == 2 && reading.processors == 0.5)
        #expect(reading.storedPerSecond == Double(2 << 20) && !reading.isRestart)
        #expect(reading.latency.percentile(0.5) == .microseconds(500))
        let lines = screen(reading).lines(width: 100, height: 40, plain)
        #expect(lines.contains("points/s     1,000,000       █"))
        #expect(
            lines.contains { $0.hasPrefix("commits/s    0               p50 500 µs  p99 990 µs") })
        #expect(lines.contains("calls/s      10              2.0 failed, 4 of 30 since the start"))
        #expect(lines.contains("daemon       50 % cpu        40.0 MiB memory, 0 of 0 files"))
        #expect(lines.contains("artifacts    4.0 MiB         0 chunks of 0 B, 2.0 MiB/s stored"))
    }

    @Test("a daemon that was started anew counts from its start, and the screen says so")
    func restart() {
        let before = status { $0.points = 5_000_000 }
        let after = status {
            $0.pid = 8
            $0.startedAtUs = 1_010_000_000
            $0.points = 100
        }
        let reading = reading(after, after: before)
        #expect(reading.isRestart && reading.elapsed == .seconds(10))
        #expect(reading.pointsPerSecond == 10)
        let lines = screen(reading).lines(width: 100, height: 40, plain)
        #expect(lines.last == "daemon was restarted, seen 1970-01-01 00:17:00")
    }

    @Test("trouble, failures and stalled runs are red")
    func red() {
        let broken = status {
            $0.failure = "disk is\u{1B} gone"
            $0.stalledRuns = 2
            $0.cutConnections = 1
            $0.queuedBytes = 63 << 20
            $0.freeBytes = 1 << 30
        }
        var view = screen(reading(broken, after: broken))
        view.trouble = "no daemon answers"
        let lines = view.lines(width: 100, height: 40, TextStyle(isColored: true))
        let red = lines.compactMap { line in
            line.text(between: "\u{1B}[31m", and: "\u{1B}[0m")
        }
        #expect(
            red == [
                "of 64.0 MiB", "1 cut", "of 100.0 GiB", "2 stalled", "failed: disk is\\u{1b} gone",
                "no daemon answers",
            ])
    }

    @Test("the disk's end is told once it can be, from how it filled")
    func disk() {
        func at(_ seconds: Int64, _ free: UInt64) -> TopReading {
            reading(status { $0.freeBytes = free << 30 }, after: nil, seconds: seconds)
        }
        #expect(screen(at(1, 50), at(1, 49)).history.timeUntilFull == nil)
        #expect(screen(at(1, 50), at(3, 60)).history.timeUntilFull == nil)
        let filling = screen(at(1, 50), at(3, 49))
        #expect(filling.history.timeUntilFull == .seconds(980))
        #expect(
            filling.lines(width: 100, height: 40, plain)
                .contains("disk         49.0 GiB free   of 100.0 GiB, full in 16m 20s"))
    }

    @Test("every line fits every terminal", arguments: [0, 1, 13, 40, 80, 500])
    func fits(width: Int) {
        var view = screen(reading(status(), after: status()))
        for _ in 0..<TopHistory.capacity + 5 {
            view.history.add(reading(status(), after: status()))
        }
        #expect(view.history.readings.count == TopHistory.capacity)
        for height in [0, 1, 5, 40] {
            let lines = view.lines(width: width, height: height, plain)
            #expect(lines.count <= height && lines.allSatisfy { $0.count <= width })
        }
        #expect(
            TopScreen(history: TopHistory(), socket: "", interval: .zero)
                .lines(width: 80, height: 24, plain).isEmpty)
    }

    @Test("a sparkline shows the last values, the highest of them as a full bar")
    func sparkline() {
        #expect(Sparkline.text([9, 0, 1, 2, 4, 8], width: 5) == "▁▁▂▄█")
        #expect(Sparkline.text([0, 0], width: 9) == "▁▁")
        #expect(Sparkline.text([1], width: 0).isEmpty && Sparkline.text([1], width: -4).isEmpty)
    }

    @Test("a frame is drawn over the one before, without scrolling and without leftovers")
    func frame() {
        #expect(
            TerminalScreen.frame(["a", "b"]) == "\u{1B}[Ha\u{1B}[K\r\nb\u{1B}[K\u{1B}[J")
        #expect(TerminalScreen.frame([]) == "\u{1B}[H\u{1B}[J")
    }

    @Test("JSON has the same keys whether there were commits or not")
    func json() {
        let text = reading(status(), after: status()).json(timeUntilFull: nil).text
        #expect(text.contains(#""reachable":true,"restarted":false,"pid":7,"interval_s":2.0"#))
        #expect(text.contains(#""commit_p50_us":null"#) && text.contains(#""full_in_s":null"#))
        #expect(
            TopReading.unreachable("gone", at: Timestamp(microseconds: 0)).text
                .hasSuffix(#""reachable":false,"reason":"gone"}"#))
    }
}

extension String {
    /// What stands between the first `start` and the `end` after it.
    fileprivate func text(between start: String, and end: String) -> Substring? {
        guard let from = firstRange(of: start),
            let to = self[from.upperBound...].firstRange(of: end)
        else { return nil }
        return self[from.upperBound..<to.lowerBound]
    }
}
