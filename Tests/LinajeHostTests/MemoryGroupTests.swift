import Foundation
import LinajeDomain
import Testing

@testable import LinajeHost

@Suite struct MemoryGroupTests {
    private func lines(_ text: String) -> [Substring] { text.split(separator: "\n") }

    private func find(_ membership: String, _ mountinfo: String) -> [String]? {
        MemoryGroup.find(
            membership: lines(membership), mounts: MemoryGroup.mounts(in: lines(mountinfo))
        )?.folders
    }

    @Test("version 2 is found where it is mounted, with all folders on the way up")
    func version2() {
        let mounts = "30 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
        #expect(
            find("0::/user.slice/job.scope", mounts) == [
                "/sys/fs/cgroup/user.slice/job.scope", "/sys/fs/cgroup/user.slice",
                "/sys/fs/cgroup",
            ])
        #expect(find("0::/", mounts) == ["/sys/fs/cgroup"])
    }

    @Test("where version 1 has the memory controller it counts, and not version 2 beside it")
    func hybrid() {
        let mounts = """
            32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
            35 31 0:32 / /cg/my\\040memory rw - cgroup cgroup rw,memory
            41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
            """
        let membership = "4:memory:/a/b\n1:cpu:/c\n0::/d"
        #expect(
            find(membership, mounts) == ["/cg/my memory/a/b", "/cg/my memory/a", "/cg/my memory"])
        #expect(
            find("1:cpu:/c\n0::/d", mounts) == [
                "/sys/fs/cgroup/unified/d", "/sys/fs/cgroup/unified",
            ])
    }

    @Test("in a container the mount shows only a part of the hierarchy")
    func container() {
        let mounts = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
        #expect(
            find("4:memory:/docker/abc/x", mounts) == [
                "/sys/fs/cgroup/memory/x", "/sys/fs/cgroup/memory",
            ])
        #expect(find("4:memory:/docker/other", mounts) == nil)
        #expect(find("4:memory:/docker/abc/../../other", mounts) == nil)
    }

    @Test(
        "text that is something else is no cgroup",
        arguments: ["", "a", "0:", "0::", "::::", "4:memory"])
    func garbage(_ text: String) {
        #expect(find(text, "\(text) - \(text)") == nil)
    }

    @Test("what the counters say is told as certainly as it is known")
    func explanations() {
        let limit: UInt64 = 64 << 20
        let killed = ProcessEnd(waitStatus: 9, source: .kernel)
        func cause(_ end: ProcessEnd?, _ evidence: MemoryWatch.Evidence) -> String {
            MemoryWatch.explain(end, evidence).cause
        }
        let memory = "memory cgroup of the process, limit 64.0 MiB"
        #expect(cause(killed, .none) == "killed by SIGKILL")
        #expect(
            cause(killed, .certain(limit: limit))
                == "out of memory: killed by the kernel (\(memory))")
        #expect(
            cause(killed, .certain(limit: nil))
                == "out of memory: killed by the kernel (the machine ran out of memory)")
        #expect(
            cause(killed, .likely(limit: limit))
                == "killed by SIGKILL, probably out of memory (\(memory))")
        #expect(
            cause(nil, .certain(limit: limit))
                == "process ended, probably out of memory (\(memory))")
        #expect(cause(nil, .none) == "process ended, cause unknown")
        let failed = ProcessEnd(waitStatus: 137 << 8, source: .parent)
        #expect(
            cause(failed, .certain(limit: limit))
                == "exited with code 137; the kernel killed for lack of memory (\(memory))")
        #expect(cause(failed, .likely(limit: limit)) == "exited with code 137")
        let segment = ProcessEnd(waitStatus: 11 | 0x80, source: .parent)
        #expect(cause(segment, .certain(limit: limit)) == "killed by SIGSEGV (core dumped)")
        #expect(MemoryWatch.explain(killed, .certain(limit: limit)).end.memoryLimit == limit)
    }

    /// A cgroup of version 1 that has killed so often.
    private func group(_ folder: URL, kills: Int) throws -> MemoryGroup {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data("oom_kill_disable 0\nunder_oom 0\noom_kill \(kills)\n".utf8).write(
            to: folder.appendingPathComponent("memory.oom_control"))
        try Data("67108864\n".utf8).write(
            to: folder.appendingPathComponent("memory.limit_in_bytes"))
        return MemoryGroup(
            mount: .init(isVersion2: false, root: "/", point: folder.path),
            folders: [folder.path])
    }

    @Test("a kill is seen however slow the dying is, and when the dead is moved to the root first")
    func slowDeath() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "linaje-cgroup-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let own = try group(folder.appendingPathComponent("own"), kills: 3)
        let root = try group(folder, kills: 0)
        let begin = ContinuousClock.now
        var watch = MemoryWatch(own, at: begin)
        #expect(watch.evidence() == .none, "old kills are others'")
        _ = try group(folder.appendingPathComponent("own"), kills: 4)
        for milliseconds in [50, 150, 350, 750] {
            watch.follow(own, at: begin + .milliseconds(milliseconds))
        }
        #expect(watch.evidence() == .certain(limit: 64 << 20))
        watch.follow(root, at: begin + .milliseconds(800))
        #expect(watch.evidence() == .certain(limit: 64 << 20))
        // One that lives on where it was moved to has nothing to do with it any more.
        watch.follow(root, at: begin + .seconds(2))
        #expect(watch.evidence() == .none)
    }

    @Test("a kill that is long ago is not the process's own")
    func longAgo() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "linaje-cgroup-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let begin = ContinuousClock.now
        var watch = MemoryWatch(try group(folder, kills: 0), at: begin)
        let own = try group(folder, kills: 1)
        watch.follow(own, at: begin + .seconds(5))
        #expect(watch.evidence() == .certain(limit: 64 << 20))
        watch.follow(own, at: begin + .seconds(10))
        #expect(watch.evidence() == .none)
    }
}
