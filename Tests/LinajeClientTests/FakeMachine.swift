import LinajeDomain
import LinajeHost

@testable import LinajeCommands

/// A machine made of values. As it is, it is a training host on which all is well: alice, who is in
/// group linaje, before a daemon of the system under systemd.
struct FakeMachine: Machine {
    var environment = ["HOME": "/home/alice", "PATH": "/usr/bin"]
    var user = MachineUser(name: "alice", uid: 1_000, groups: [1_000, 900])
    var now = Timestamp(microseconds: 1_790_000_000_000_000)
    var programFolder = "/usr/bin"
    var looks: [String: Look] = [
        "/run/linaje": .folder(0o750, 900), "/run/linaje/linaje.sock": .socket(0o660, 900),
        "/run/systemd/system": .folder(0o755, 0), "/var/lib/linaje": .folder(0o700, 900),
        "/var/lib": .folder(0o755, 0), "/home/alice": .folder(0o700, 1_000),
        "/proc/77": .folder(0o555, 900),
    ]
    var listings: [String: [String]] = [:]
    var texts = [
        "/proc/sys/net/core/somaxconn": "4096\n", "/proc/sys/kernel/osrelease": "6.1.0-40-amd64\n",
        "/proc/meminfo": "MemTotal: 9 kB\nMemAvailable:   16777216 kB\n",
        "/proc/self/mountinfo": "28 24 0:25 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n",
        "/sys/fs/cgroup/cgroup.controllers": "cpu io memory pids\n",
    ]
    var locks: [String: Bool] = [:]
    var disk = FileSystemFacts(
        magic: 0xEF53, total: ByteCount(1 << 40), free: ByteCount(1 << 39), files: 1_000_000,
        freeFiles: 900_000)
    /// Other file systems by the start of their paths.
    var disks: [String: FileSystemFacts] = [:]
    var programs: [String: ProgramResult] = [
        "/usr/bin/linajed": ProgramResult(
            status: 0, output: "configuration is good\nstate directory: /s\nsocket: /x\n"),
        "/usr/bin/systemctl": ProgramResult(status: 0, output: Self.units()),
        "/usr/bin/python3": ProgramResult(status: 0, output: "0.1.0\n"),
    ]
    var connection: (error: Int32, listener: Int32) = (0, 1)
    var listed: Set<String> = []
    var features: Set<KernelFacility> = [
        .processDescriptors, .beneath, .landlock, .seccomp, .bootID,
    ]

    static func units(
        socket: String = "enabled", service: String = "active", load: String = "loaded",
        tasks: String = "512"
    ) -> String {
        """
        Id=linajed.socket
        LoadState=\(load)
        UnitFileState=\(socket)
        ActiveState=active
        NeedDaemonReload=no

        TasksMax=\(tasks)
        Id=linajed.service
        LoadState=\(load)
        UnitFileState=disabled
        ActiveState=\(service)
        NeedDaemonReload=no

        """
    }

    func look(at path: String) -> Look { looks[path] ?? .missing }
    func names(in folder: String) -> [String] { listings[folder] ?? [] }
    func text(of path: String) -> String? { texts[path] }
    func isLocked(_ path: String) -> Bool? { locks[path] }
    func fileSystem(of path: String) -> FileSystemFacts? {
        disks.first { path.hasPrefix($0.key) }?.value ?? disk
    }
    func sharesBlocks(in folder: String) -> Bool? { false }
    func canRun(_ path: String) -> Bool { programs[path] != nil }
    func run(_ words: [String]) -> ProgramResult? { words.first.flatMap { programs[$0] } }
    func connect(to socket: String) -> (error: Int32, listener: Int32) { connection }
    func userName(_ uid: UInt32) -> String {
        [0: "root", 900: "linaje", 1_000: "alice"][uid] ?? String(uid)
    }
    func groupName(_ gid: UInt32) -> String { userName(gid) }
    func isListed(_ user: String, inGroup gid: UInt32) -> Bool { listed.contains(user) }
    func kernelFeatures() -> Set<KernelFacility> { features }
}

extension Look {
    static func folder(_ mode: UInt32, _ owner: UInt32) -> Look { thing(.folder, mode, owner) }
    static func socket(_ mode: UInt32, _ owner: UInt32) -> Look { thing(.socket, mode, owner) }
    static func file(_ size: UInt64, owner: UInt32 = 1_000) -> Look {
        thing(.file, 0o600, owner, size)
    }

    private static func thing(
        _ kind: FileFacts.Kind, _ mode: UInt32, _ owner: UInt32, _ size: UInt64 = 0
    ) -> Look {
        .found(
            FileFacts(
                kind: kind, mode: mode, uid: owner, gid: owner, size: ByteCount(size)))
    }
}
