import LinajeAgent
import Testing

@Suite struct HostTextTests {
    private let stat = "cpu  100 10 50 800 40 5 5 10 0 0\ncpu0 1 2 3 4\nintr 5\n"

    @Test("processor time is busy or idle, and waiting for a disk is idle")
    func processors() {
        #expect(
            HostText.processorTime(stat) == HostText.ProcessorTime(busy: 180, total: 1_020))
        #expect(HostText.processorTime("cpu  1 2 x 4\n") == nil)
        #expect(HostText.processorTime("cpu  1 2\n") == nil)
        #expect(HostText.processorTime("intr 1 2 3 4 5\n") == nil)
    }

    @Test("memory is what the kernel says is available")
    func memory() {
        let memory = HostText.memory("MemTotal:  16 kB\nMemFree: 1 kB\nMemAvailable: 4 kB\n")
        #expect(memory?.total == 16 << 10 && memory?.available == 4 << 10)
        #expect(HostText.memory("MemTotal: 16 kB\n") == nil)
        #expect(HostText.memory("MemTotal: 99999999999999999 kB\nMemAvailable: 1 kB\n") == nil)
    }

    @Test("the loop-back is no network")
    func network() {
        let text = """
            Inter-|   Receive                   |  Transmit
             face |bytes    packets errs drop fifo frame compressed multicast|bytes
                lo: 900 1 0 0 0 0 0 0 900 1 0 0 0 0 0 0
              eth0:100 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0
             wlan0: 200 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0
            """
        let sum = HostText.network(text)
        #expect(sum?.received == 300 && sum?.sent == 30)
        #expect(HostText.network("") == nil)
    }

    @Test("only whole disks count, in sectors of 512 bytes")
    func disks() {
        let text = "8 0 sda 1 0 10 0 1 0 20 0 0\n8 1 sda1 1 0 10 0 1 0 20 0 0\n8 torn"
        let sum = HostText.disks(text) { $0 == "sda" }
        #expect(sum?.read == 5_120 && sum?.written == 10_240)
    }

    @Test("pressure is the total of those that waited")
    func pressure() {
        let text = "some avg10=0.00 avg60=0.06 avg300=1.71 total=156\nfull avg10=0.00 total=7\n"
        let found = HostText.pressure(text)
        #expect(found.some == 156 && found.full == 7)
        #expect(HostText.pressure("some total=x").some == nil)
    }

    @Test("no torn text traps, and none is read as more than it is")
    func torn() {
        for count in 0...stat.utf8.count {
            let part = String(decoding: stat.utf8.prefix(count), as: UTF8.self)
            if let time = HostText.processorTime(part) { #expect(time.total <= 1_020) }
            _ = HostText.memory(part)
            _ = HostText.network(part)
            _ = HostText.disks(part) { _ in true }
            _ = HostText.pressure(part)
            _ = HostText.transfer(part)
        }
    }

    @Test("a process is read whatever its name holds, and not at all when the text is torn")
    func process() {
        let text =
            "42 (a) b (c)) S 7 42 42 0 -1 4194304 9 0 0 0 11 22 33 44 20 0 1 0 5555 99 123 18 "
            + "0 0\n"
        let reading = ProcessReading(stat: Array(text.utf8)[...])
        #expect(
            reading
                == ProcessReading(
                    pid: 42, parent: 7, start: 5_555, ownTicks: 33, childTicks: 77,
                    residentPages: 123))
        let last = text.utf8.count - "18 0 0\n".utf8.count
        for count in 0..<last {
            #expect(ProcessReading(stat: Array(text.utf8.prefix(count))[...]) == nil)
        }
    }
}

@Suite struct UsageMeterTests {
    /// Processes as (pid, parent, own, children's); each starts at its pid.
    private func table(_ processes: [(Int32, Int32, UInt64, UInt64)]) -> ProcessTable {
        ProcessTable(
            processes.map {
                ProcessReading(
                    pid: $0.0, parent: $0.1, start: UInt64($0.0), ownTicks: $0.2, childTicks: $0.3)
            })
    }

    private func look(
        _ meter: inout UsageMeter, _ processes: [(Int32, Int32, UInt64, UInt64)],
        without others: Set<Int32> = []
    ) {
        let table = table(processes)
        func counters(_ pids: Set<Int32>) -> UsageMeter.Counters {
            Dictionary(
                uniqueKeysWithValues: pids.compactMap { table.processes[$0] }.map {
                    ($0.identity, $0.ticks)
                })
        }
        meter.look(
            members: counters(table.tree(of: 10, without: others)),
            everyone: counters(table.tree(of: 10)), in: table)
    }

    @Test("what a child has used counts once, before and after its parent has waited for it")
    func waited() {
        var meter = UsageMeter()
        look(&meter, [(1, 0, 900, 0), (10, 1, 100, 0), (11, 10, 50, 0)])
        #expect(meter.sum == 150)
        look(&meter, [(1, 0, 900, 0), (10, 1, 110, 0), (11, 10, 80, 0)])
        #expect(meter.sum == 190)
        // It has used 5 more and ended: 85 are with the parent now.
        look(&meter, [(1, 0, 900, 0), (10, 1, 110, 85)])
        #expect(meter.sum == 195)
        // One that lived between two looks.
        look(&meter, [(1, 0, 900, 0), (10, 1, 111, 92)])
        #expect(meter.sum == 203)
    }

    @Test("the sum never goes down when nobody waits for a child")
    func unwaited() {
        var meter = UsageMeter()
        look(&meter, [(10, 1, 100, 0), (11, 10, 50, 0)])
        look(&meter, [(10, 1, 100, 0)])
        #expect(meter.sum == 150)
        look(&meter, [(10, 1, 101, 0)])
        #expect(meter.sum == 151)
    }

    @Test("a whole branch that ends is with the ancestor that is left")
    func branch() {
        var meter = UsageMeter()
        look(&meter, [(10, 1, 0, 0), (11, 10, 20, 0), (12, 11, 30, 0)])
        look(&meter, [(10, 1, 0, 52)])
        #expect(meter.sum == 52)
    }

    @Test("what another run's processes hand on when they end is not this run's")
    func others() {
        var meter = UsageMeter()
        look(&meter, [(10, 1, 5, 0), (20, 10, 40, 0)], without: [20])
        #expect(meter.sum == 5)
        look(&meter, [(10, 1, 6, 40)], without: [20])
        #expect(meter.sum == 6)
    }

    @Test("a process with a number used again is another one")
    func reused() {
        var meter = UsageMeter()
        look(&meter, [(10, 1, 5, 0), (11, 10, 40, 0)])
        let again = ProcessTable([
            ProcessReading(pid: 10, parent: 1, start: 10, ownTicks: 5, childTicks: 40),
            ProcessReading(pid: 11, parent: 10, start: 99, ownTicks: 3),
        ])
        let counters = Dictionary(
            uniqueKeysWithValues: again.processes.values.map { ($0.identity, $0.ticks) })
        meter.look(members: counters, everyone: counters, in: again)
        #expect(meter.sum == 48)
    }

    @Test("a loop of parents, as torn readings may show it, ends")
    func loop() {
        let table = table([(10, 11, 1, 0), (11, 10, 1, 0)])
        #expect(table.tree(of: 10) == [10, 11])
    }
}
