import LinajeDomain
import Testing

@Suite struct ProcessEndTests {
    @Test(
        "a wait status tells how a process ended",
        arguments: [
            (0, "exited with code 0"), (3 << 8, "exited with code 3"),
            (255 << 8, "exited with code 255"), (9, "killed by SIGKILL"),
            (15, "killed by SIGTERM"), (6 | 0x80, "killed by SIGABRT (core dumped)"),
            (64, "killed by signal 64"),
        ])
    func waitStatus(_ status: Int32, _ cause: String) {
        #expect(ProcessEnd(waitStatus: status, source: .parent).cause == cause)
    }

    @Test("no more last lines are taken than are kept")
    func bounds() throws {
        var end = ProcessEnd()
        end.lastErrors = [String](repeating: "x", count: Limits.lastErrorLines)
        #expect(try end.checked() == end)
        end.lastErrors.append("x")
        #expect(throws: LinajeError.self) { try end.checked() }
        end.lastErrors = [String(repeating: "x", count: Limits.lastErrorBytes + 1)]
        #expect(throws: LinajeError.self) { try end.checked() }
    }

    @Test("what another knows of a run's making is added to what was known")
    func merge() {
        var known = Provenance()
        known.entryPoint = "sh"
        known.host = "h"
        known.packages = ["a": "1", "b": "1"]
        known.git = GitState(commit: "c")
        var other = Provenance()
        other.entryPoint = "train.py"
        other.packages = ["b": "2"]
        other.argv = ["x"]
        known.merge(other)
        #expect(known.entryPoint == "train.py")
        #expect(known.host == "h")
        #expect(known.packages == ["a": "1", "b": "2"])
        #expect(known.argv == ["x"])
        #expect(known.git == GitState(commit: "c"))
    }

    @Test(
        "a moment is written as RFC 3339",
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_769_851_800_000_001, "2026-01-31T09:30:00.000001Z"),
        ])
    func timestamps(_ microseconds: Int64, _ text: String) {
        #expect(Timestamp(microseconds: microseconds).text == text)
    }
}
