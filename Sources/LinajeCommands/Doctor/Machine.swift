import LinajeDomain
import LinajeHost

/// What `linaje doctor` asks of the machine it runs on; tests answer in its place. Calls may block.
protocol Machine: Sendable {
    var environment: [String: String] { get }
    var user: MachineUser { get }
    var now: Timestamp { get }
    /// The folder that this program is in.
    var programFolder: String { get }

    /// What is at a path, links not followed.
    func look(at path: String) -> Look
    /// The names in a folder; empty where it cannot be read.
    func names(in folder: String) -> [String]
    /// A small file's text; `nil` where it cannot be read.
    func text(of path: String) -> String?
    /// Whether somebody holds the lock (flock(2)) of a file; `nil` where it cannot be opened.
    func isLocked(_ path: String) -> Bool?
    /// The file system that holds a path; `nil` when the path cannot be reached.
    func fileSystem(of path: String) -> FileSystemFacts?
    /// Whether files in a folder can share their blocks; `nil` where it cannot be tried.
    func sharesBlocks(in folder: String) -> Bool?
    /// Whether the caller may run a program.
    func canRun(_ path: String) -> Bool
    /// Runs a program, which ends within a few seconds or is ended; `nil` when it cannot be started
    /// or did not end.
    func run(_ words: [String]) -> ProgramResult?
    /// Connects to a socket and hangs up: 0 or why it cannot be done, and the process that has begun
    /// to listen there, 0 where the kernel does not tell. Under systemd that is systemd.
    func connect(to socket: String) -> (error: Int32, listener: Int32)
    /// The name of a user or group, its number where it has none.
    func userName(_ uid: UInt32) -> String
    func groupName(_ gid: UInt32) -> String
    /// Whether the group lists the user as a member, also when that came after its login.
    func isListed(_ user: String, inGroup gid: UInt32) -> Bool
    /// What this kernel has of what Linaje uses.
    func kernelFeatures() -> Set<KernelFacility>
}

/// Who runs `linaje doctor`.
struct MachineUser: Sendable, Hashable {
    var name: String
    var uid: UInt32
    /// Its groups in this login, the first one included.
    var groups: Set<UInt32>
}

/// What looking at a path finds.
enum Look: Sendable, Hashable {
    case found(FileFacts)
    case missing
    /// A folder on the way is closed to the caller.
    case hidden
}

/// A file as lstat(2) shows it.
struct FileFacts: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        case file, folder, socket, link, other
    }

    var kind: Kind
    /// Permission bits.
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    var size: ByteCount
}

/// A file system as statfs(2) shows it.
struct FileSystemFacts: Sendable, Hashable {
    /// f_type of statfs(2).
    var magic: UInt64
    var total: ByteCount
    /// What is free for those who are not root.
    var free: ByteCount
    /// Files it can hold, 0 where there is no bound.
    var files: UInt64
    var freeFiles: UInt64
}

/// How a program ended.
struct ProgramResult: Sendable, Hashable {
    /// Its exit status; above 128 when a signal ended it.
    var status: Int32
    /// What it wrote on standard output and error, at most 64 KiB.
    var output: String
}

extension Machine {
    /// The path itself or the nearest folder above it that can be looked at.
    func nearestThatExists(_ path: String) -> String {
        var path = path[...]
        while path.count > 1 {
            if case .found = look(at: String(path)) { return String(path) }
            path = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
        }
        return "/"
    }

    /// A program beside this one or in PATH.
    func program(_ name: String) -> String? {
        let folders =
            [programFolder] + (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return folders.map { $0 + "/" + name }.first { canRun($0) }
    }

    /// "alice:users 0750".
    func describe(_ file: FileFacts) -> String {
        "\(userName(file.uid)):\(groupName(file.gid)) \(Self.octal(file.mode))"
    }

    static func octal(_ mode: UInt32) -> String { "0" + String(mode, radix: 8) }
}
