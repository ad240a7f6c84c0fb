import Glibc
import LinajeHost
import Testing

@Suite struct ProcessStateTests {
    @Test("a live process has a start time that stays, a missing one has none")
    func start() throws {
        let own = try #require(ProcessIdentity.start(of: getpid()))
        #expect(ProcessIdentity.start(of: getpid()) == own)
        #expect(ProcessIdentity.startOfThisProcess() == own)
        #expect(ProcessIdentity.start(of: 0) == nil)
        #expect(ProcessIdentity.start(of: .max) == nil)
    }

    @Test("the fields of a process are read after the last bracket of its name")
    func fields() throws {
        let fields = (4...52).map { "\($0)" }.joined(separator: " ")
        let zombie = try #require(ProcessState(stat: Array("1 (a) b (c) Z \(fields)\n".utf8)[...]))
        #expect(zombie.start == 22)
        #expect(zombie.isZombie)
        #expect(zombie.waitStatus == 52)
        let alive = try #require(ProcessState(stat: Array("1 (Z) S \(fields)\n".utf8)[...]))
        #expect(!alive.isZombie)
    }

    @Test("a state that is cut short is none, at any byte")
    func torn() {
        let text = Array("1 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19".utf8)
        for end in 0..<(text.count - 1) { _ = ProcessState(stat: text[..<end]) }
        #expect(ProcessState(stat: Array("1 (a".utf8)[...]) == nil)
        #expect(ProcessState(stat: Array("1 (a) S 1 2".utf8)[...]) == nil)
    }
}
