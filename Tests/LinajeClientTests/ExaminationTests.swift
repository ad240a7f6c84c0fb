import Glibc
import LinajeDomain
import LinajeHost
import LinajeTransport
import Testing

@testable import LinajeCommands

@Suite("linaje doctor")
struct ExaminationTests {
    /// What a daemon says that is well, but for `change`.
    private static func facts(_ change: (inout DaemonFacts) -> Void = { _ in }) -> DaemonFacts {
        var facts = DaemonFacts(
            agent: "linajed/0.1.0", principal: "uid:1000", role: "writer", version: "0.1.0",
            stateDirectory: "/var/lib/linaje", pid: 77,
            startedAt: Timestamp(microseconds: 1_780_000_000_000_000),
            plugins: [
                .init(name: "sqlite", kind: "sql backend"),
                .init(name: "linaje-flavor-host", kind: "model flavor"),
            ], openFilesLimit: 65_536)
        change(&facts)
        return facts
    }

    private static let unreachable = LinajeError(
        .unavailable, "daemon is not reachable", details: ["unreachable": "true"])

    /// The findings on a machine that differs from a healthy one by `change`; `error` is why the
    /// daemon says nothing.
    private func examine(
        rule: SocketAddresses.Rule = .system, error: LinajeError? = nil,
        facts: DaemonFacts = Self.facts(), change: (inout FakeMachine) -> Void = { _ in }
    ) -> [Diagnosis] {
        var machine = FakeMachine()
        change(&machine)
        let path = rule == .user ? "/run/user/1000/linaje/linaje.sock" : SocketAddresses.system
        let examination = Examination(
            machine: machine, socket: .success(.init(path: path, rule: rule)),
            daemon: error.map { .fails($0) } ?? .answers(facts), version: "0.1.0")
        return examination.findings()
    }

    /// The one finding that is not good.
    private func trouble(_ findings: [Diagnosis]) throws -> Diagnosis {
        let bad = findings.filter { $0.verdict != .ok }
        #expect(bad.count == 1, "\(bad)")
        return try #require(bad.first)
    }

    @Test("a healthy machine is healthy, and each check says so once")
    func healthy() {
        let findings = examine()
        #expect(findings.allSatisfy { $0.verdict == .ok && $0.hint == nil }, "\(findings)")
        #expect(
            findings.map(\.check) == [
                "socket", "socket_folder", "socket_file", "daemon", "version", "changes", "plugins",
                "state_directory", "disk", "file_system", "configuration", "units", "units",
                "open_files", "backlog", "clock", "memory", "kernel", "spool", "python",
            ])
    }

    // MARK: Why no daemon answers

    @Test("without a daemon it says why and how to start it, and goes on")
    func noDaemon() throws {
        let findings = examine(error: Self.unreachable) {
            $0.texts["/proc/self/limits"] = "Limit  Soft  Hard\nMax open files  1024  9999  files\n"
            $0.connection = (ENOENT, 0)
            $0.looks["/run/linaje"] = nil
            $0.looks["/run/linaje/linaje.sock"] = nil
        }
        let finding = try trouble(findings)
        #expect(finding.check == "daemon" && finding.verdict == .failure)
        #expect(finding.text.contains("no daemon runs"))
        #expect(finding.hint == "start it: sudo systemctl enable --now linajed.socket")
        #expect(findings.contains { $0.text == "a daemon that you start may open 9,999 files" })
    }

    @Test("a socket file that nobody listens on is told from one that is not there")
    func staleSocket() throws {
        let finding = try trouble(
            examine(error: Self.unreachable) { $0.connection = (ECONNREFUSED, 0) })
        #expect(finding.text.contains("left behind by one that is gone"))
    }

    @Test("a stopped daemon is told from a hung one")
    func stopped() throws {
        let silent = LinajeError(.handshakeTimeout, "the daemon did not say hello")
        let stopped = try trouble(
            examine(error: silent) {
                $0.connection = (0, 77)
                $0.texts["/proc/77/stat"] = "77 (a) b) T 1 77"
            })
        #expect(stopped.hint == "let it go on: kill -CONT 77")
        let hung = try trouble(
            examine(error: silent) {
                $0.connection = (0, 77)
                $0.texts["/proc/77/stat"] = "77 (linajed) S 1 77"
            })
        #expect(hung.text.contains("did not say hello") && hung.hint?.contains("restart") == true)
        let full = try trouble(examine(error: silent) { $0.connection = (EAGAIN, 0) })
        #expect(full.text.contains("backlog is full"))
    }

    @Test("somebody who is not in the group is told how to get into it")
    func group() throws {
        let denied = LinajeError(.permissionDenied, "user 1000 has no role here")
        let outside: (inout FakeMachine) -> Void = {
            $0.user.groups = [1_000]
            $0.connection = (EACCES, 0)
        }
        let findings = examine(error: denied, change: outside).filter { $0.verdict != .ok }
        #expect(findings.map(\.check) == ["socket_file", "daemon"])
        #expect(
            findings.allSatisfy {
                $0.hint?.hasPrefix("sudo usermod -aG linaje alice, then log in again") == true
            }, "\(findings)")
        let listed = examine(error: denied) {
            outside(&$0)
            $0.listed = ["alice"]
        }
        #expect(
            listed.contains {
                $0.hint == "you are in group linaje since your login: log in again"
            })
        let closed = examine(error: denied) {
            outside(&$0)
            $0.looks["/run/linaje"] = .hidden
            $0.looks["/run/linaje/linaje.sock"] = .hidden
        }
        #expect(closed.contains { $0.check == "socket_folder" && $0.verdict == .failure })
    }

    @Test("a daemon that refuses the caller is told from one that is not there")
    func refused() throws {
        let finding = try trouble(
            examine(error: LinajeError(.permissionDenied, "user 1000 has no role here")))
        #expect(finding.text == "the daemon refuses you: user 1000 has no role here")
    }

    @Test("a folder in which others could replace the socket is a failure")
    func openFolder() throws {
        let finding = try trouble(examine { $0.looks["/run/linaje"] = .folder(0o777, 900) })
        #expect(finding.check == "socket_folder" && finding.hint == "chmod o-w /run/linaje")
        let world = try trouble(
            examine { $0.looks["/run/linaje/linaje.sock"] = .socket(0o666, 900) })
        #expect(world.check == "socket_file" && world.verdict == .warning)
    }

    @Test("a socket that cannot be chosen is a failure of its own")
    func noSocket() {
        let examination = Examination(
            machine: FakeMachine(),
            socket: .failure(LinajeError(.permissionDenied, "folder /tmp/x must be yours")),
            daemon: .fails(Self.unreachable), version: "0.1.0")
        let finding = examination.findings().first
        #expect(finding?.check == "socket" && finding?.verdict == .failure)
        #expect(finding?.text == "folder /tmp/x must be yours")
    }

    // MARK: What the daemon says

    @Test("other versions, a failed store and broken plugins are named")
    func daemonTrouble() throws {
        let version = try trouble(examine(facts: Self.facts { $0.version = "0.0.9" }))
        #expect(version.check == "version" && version.verdict == .warning)
        let changes = try trouble(examine(facts: Self.facts { $0.failure = "fsync failed" }))
        #expect(changes.verdict == .failure && changes.text.hasSuffix("any more: fsync failed"))
        let plugin = try trouble(examine(facts: Self.facts { $0.plugins[0].failure = "gone" }))
        #expect(plugin.check == "plugins" && plugin.text == "sqlite (sql backend): gone")
        let flavors = try trouble(examine(facts: Self.facts { $0.plugins.removeLast() }))
        #expect(flavors.check == "flavors" && flavors.verdict == .warning)
    }

    // MARK: The state and its disk

    private static let openModes: [(UInt32, Bool)] = [
        (0o770, true), (0o707, true), (0o750, false), (0o705, false),
    ]

    @Test(
        "a state directory that is open to others or somebody else's is a finding",
        arguments: openModes)
    func stateMode(mode: UInt32, isFailure: Bool) throws {
        let finding = try trouble(examine { $0.looks["/var/lib/linaje"] = .folder(mode, 900) })
        #expect(finding.check == "state_directory")
        #expect((finding.verdict == .failure) == isFailure)
        let owner = try trouble(examine { $0.looks["/var/lib/linaje"] = .folder(0o700, 0) })
        #expect(owner.hint == "sudo chown -R linaje: /var/lib/linaje")
    }

    @Test("a daemon on another socket is found by its lock")
    func lockHeld() {
        let findings = examine(error: Self.unreachable) {
            $0.connection = (ENOENT, 0)
            $0.locks["/var/lib/linaje/lock"] = true
        }
        #expect(findings.contains { $0.check == "state_lock" && $0.verdict == .failure })
    }

    private static let disks: [(UInt64, UInt64, Diagnosis.Verdict)] = [
        (1 << 20, 1 << 40, .failure), (100 << 20, 1 << 30, .warning),
        (20 << 30, 1 << 40, .warning), (2 << 30, 8 << 30, .ok), (0, 0, .failure),
    ]

    @Test("a disk that is nearly full is a warning, a full one a failure", arguments: disks)
    func disk(free: UInt64, total: UInt64, verdict: Diagnosis.Verdict) {
        let findings = examine {
            $0.disk.free = ByteCount(free)
            $0.disk.total = ByteCount(total)
        }
        #expect(findings.first { $0.check == "disk" }?.verdict == verdict)
    }

    @Test("a disk without room for files is a finding, one without a bound is none")
    func inodes() throws {
        #expect(try trouble(examine { $0.disk.freeFiles = 900 }).verdict == .warning)
        #expect(try trouble(examine { $0.disk.freeFiles = 3 }).check == "inodes")
        let findings = examine {
            $0.disk.files = 0
            $0.disk.freeFiles = 0
        }
        #expect(findings.allSatisfy { $0.verdict == .ok })
    }

    private static let fileSystems: [(UInt64, Diagnosis.Verdict)] = [
        (0x6969, .failure), (0xFF53_4D42, .failure), (0x0102_1994, .warning),
        (0x794C_7630, .warning), (0x6573_5546, .warning), (0x9123_683E, .ok), (0x1234, .ok),
    ]

    @Test(
        "databases on network file systems are a failure, in memory a warning",
        arguments: fileSystems)
    func fileSystem(magic: UInt64, verdict: Diagnosis.Verdict) {
        let findings = examine {
            var disk = $0.disk
            disk.magic = magic
            $0.disks = ["/var": disk]
        }
        #expect(findings.first { $0.check == "file_system" }?.verdict == verdict)
    }

    @Test("logs that are not written back are a warning")
    func logs() throws {
        let fine = examine { $0.looks["/var/lib/linaje/metrics.db-wal"] = .file(4 << 20) }
        #expect(fine.contains { $0.text == "metrics 4.0 MiB" && $0.verdict == .ok })
        let finding = try trouble(
            examine { $0.looks["/var/lib/linaje/metrics.db-wal"] = .file(1 << 30) })
        #expect(finding.check == "write_ahead_logs" && finding.verdict == .warning)
    }

    // MARK: Programs and units

    @Test("a bad configuration is told in the daemon's own words")
    func configuration() throws {
        let said = "linajed: error: linaje.toml has keys that do not exist: x (invalid_argument)"
        let finding = try trouble(
            examine {
                $0.programs["/usr/bin/linajed"] = ProgramResult(status: 78, output: said + "\n")
            })
        #expect(finding.check == "configuration" && finding.text == said)
        let broken = try trouble(
            examine {
                $0.programs["/usr/bin/linajed"] = ProgramResult(status: 127, output: "no libfoo\n")
            })
        #expect(broken.text.contains("no libfoo") && broken.hint?.contains("ldd") == true)
        let missing = try trouble(examine { $0.programs["/usr/bin/linajed"] = nil })
        #expect(missing.verdict == .warning)
    }

    @Test("units that are missing, disabled, failed or bounded are named with the command")
    func units() throws {
        func with(_ text: String) -> [Diagnosis] {
            examine { $0.programs["/usr/bin/systemctl"] = ProgramResult(status: 0, output: text) }
        }
        let disabled = try trouble(with(FakeMachine.units(socket: "disabled")))
        #expect(disabled.hint == "sudo systemctl enable --now linajed.socket")
        let failed = try trouble(with(FakeMachine.units(service: "failed")))
        #expect(failed.verdict == .failure)
        #expect(failed.hint == "see why: sudo journalctl -u linajed.service -n 50")
        let tasks = try trouble(with(FakeMachine.units(tasks: "10")))
        #expect(tasks.text == "linajed.service may have only 10 threads")
        #expect(with(FakeMachine.units(tasks: "infinity")).allSatisfy { $0.verdict == .ok })
        let missing = with(FakeMachine.units(load: "not-found")).filter { $0.verdict != .ok }
        #expect(missing.count == 2 && missing.allSatisfy { $0.text.contains("is not installed") })
        let elsewhere = examine { $0.looks["/run/systemd/system"] = nil }
        #expect(elsewhere.allSatisfy { $0.verdict == .ok })
    }

    @Test("a user's own daemon that ends with the session is a warning")
    func lingering() throws {
        let own: (inout FakeMachine) -> Void = {
            $0.looks["/run/user/1000/linaje"] = .folder(0o700, 1_000)
            $0.looks["/run/user/1000/linaje/linaje.sock"] = .socket(0o600, 1_000)
            $0.looks["/home/alice/.local/state/linaje"] = .folder(0o700, 1_000)
            $0.looks["/proc/77"] = .folder(0o555, 1_000)
        }
        let facts = Self.facts { $0.stateDirectory = "/home/alice/.local/state/linaje" }
        let finding = try trouble(examine(rule: .user, facts: facts, change: own))
        #expect(finding.check == "lingering")
        #expect(finding.hint == "sudo loginctl enable-linger alice")
        let kept = examine(rule: .user, facts: facts) {
            own(&$0)
            $0.looks["/var/lib/systemd/linger/alice"] = .file(0, owner: 0)
        }
        #expect(kept.allSatisfy { $0.verdict == .ok }, "\(kept)")
    }

    // MARK: The machine and the clients

    @Test("low limits, a wrong clock and little memory are named")
    func machineTrouble() throws {
        let files = try trouble(examine(facts: Self.facts { $0.openFilesLimit = 1_024 }))
        #expect(files.check == "open_files" && files.text.contains("about 960 clients"))
        let backlog = try trouble(
            examine { $0.texts["/proc/sys/net/core/somaxconn"] = "128\n" })
        #expect(backlog.hint == "sudo sysctl net.core.somaxconn=4096")
        let epoch = try trouble(
            examine(facts: Self.facts { $0.startedAt = Timestamp(microseconds: 0) }) {
                $0.now = Timestamp(microseconds: 5_000_000)
            })
        #expect(epoch.check == "clock" && epoch.verdict == .failure)
        let back = try trouble(
            examine(
                facts: Self.facts { $0.startedAt = Timestamp(microseconds: 1_790_000_100_000_000) })
        )
        #expect(back.check == "clock" && back.verdict == .warning)
        let memory = try trouble(
            examine { $0.texts["/proc/meminfo"] = "MemAvailable:   1024 kB\n" })
        #expect(memory.check == "memory")
    }

    @Test("a kernel without newer features is good, one without older ones is a warning")
    func kernel() throws {
        let text = examine().first { $0.check == "kernel" }?.text
        #expect(text?.contains("without SO_PEERPIDFD (Linux 6.5)") == true)
        let forbidden = try trouble(
            examine(facts: Self.facts { $0.missingFeatures = ["pidfd_open", "SO_PEERPIDFD"] }))
        #expect(forbidden.text.contains("without pidfd_open: "))
        #expect(!forbidden.text.contains("SO_PEERPIDFD"))
        let old = try trouble(examine { $0.features.remove(.processDescriptors) })
        #expect(old.check == "kernel" && old.text.contains("pidfd_open"))
        let bare = try trouble(examine { $0.texts["/proc/self/mountinfo"] = "" })
        #expect(bare.text.contains("cgroup_memory"))
        let first = examine {
            $0.texts["/proc/self/mountinfo"] =
                "40 30 0:33 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
        }
        #expect(first.allSatisfy { $0.verdict == .ok })
    }

    @Test("spools of ended trainings are counted, those of living ones are not")
    func spools() throws {
        let root = "/home/alice/.local/state/linaje/spool"
        let left: (inout FakeMachine) -> Void = {
            $0.listings[root] = [".new-1", "10-aa", "11-bb"]
            $0.locks = ["\(root)/10-aa/lock": false, "\(root)/11-bb/lock": true]
            $0.listings["\(root)/10-aa"] = ["00ff.01.metrics", "00ff.ops", "files", "lock"]
            $0.listings["\(root)/11-bb"] = ["11.ops"]
            for (name, size) in [("00ff.01.metrics", UInt64(3 << 20)), ("00ff.ops", 1 << 20)] {
                $0.looks["\(root)/10-aa/\(name)"] = .file(size)
            }
        }
        let finding = try trouble(examine(change: left))
        #expect(
            finding.text
                == "4.0 MiB wait to be sent, of 1 run, left by 1 training that has ended")
        #expect(finding.hint?.hasPrefix("send it: python -m linaje sync") == true)
        let without = examine(error: Self.unreachable) {
            left(&$0)
            $0.connection = (ENOENT, 0)
        }
        #expect(without.contains { $0.hint?.hasPrefix("start the daemon, then:") == true })
    }

    @Test("a spool on a network home is a warning")
    func networkHome() throws {
        let finding = try trouble(
            examine {
                var disk = $0.disk
                disk.magic = 0x6969
                $0.disks = ["/home": disk]
            })
        #expect(finding.check == "spool_folder" && finding.text.contains("nfs"))
    }

    @Test("another version of the Python client is a warning, none is not")
    func python() throws {
        let other = try trouble(
            examine {
                $0.programs["/usr/bin/python3"] = ProgramResult(status: 0, output: "0.0.9\n")
                $0.listings["/usr/bin/../share/linaje/python"] = ["linaje-0.1.0-py3-none-any.whl"]
            })
        #expect(other.check == "python" && other.hint?.hasSuffix("-any.whl") == true)
        let none = examine {
            $0.programs["/usr/bin/python3"] = ProgramResult(
                status: 1, output: "Traceback\nModuleNotFoundError: No module named 'linaje'\n")
        }
        #expect(none.allSatisfy { $0.verdict == .ok })
        let broken = try trouble(
            examine {
                $0.programs["/usr/bin/python3"] = ProgramResult(
                    status: 1, output: "SyntaxError: bad\n")
            })
        #expect(broken.text.contains("SyntaxError: bad"))
    }

    @Test("what a program says and how it ends is taken, within bounds")
    func capturedProgram() {
        let machine = LocalMachine()
        let said = machine.run(["/bin/sh", "-c", "echo out; echo err >&2; exit 7"])
        #expect(said == ProgramResult(status: 7, output: "out\nerr\n"))
        #expect(machine.run(["/no/such/program"]) == nil)
        let long = machine.run(["/bin/sh", "-c", "head -c 1000000 /dev/zero"])
        #expect(long?.output.utf8.count == 64 << 10)
        #expect(machine.run(["/bin/sh", "-c", "kill -9 $$"])?.status == 137)
    }
}
