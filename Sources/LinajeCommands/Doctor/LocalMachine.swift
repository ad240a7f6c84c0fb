import CLinux
import FoundationEssentials
import Glibc
import LinajeDomain
import LinajeHost

/// The machine this program runs on.
struct LocalMachine: Machine {
    let environment = ProcessInfo.processInfo.environment

    var now: Timestamp { SystemClock().now() }

    var user: MachineUser {
        var groups = [gid_t](repeating: 0, count: 65_536)
        let count = getgroups(Int32(groups.count), &groups)
        return MachineUser(
            name: userName(geteuid()), uid: geteuid(),
            groups: Set(groups.prefix(max(0, Int(count)))).union([getegid()]))
    }

    var programFolder: String {
        let path =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? CommandLine.arguments[0]
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }

    func look(at path: String) -> Look {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            return errno == ENOENT || errno == ENOTDIR ? .missing : .hidden
        }
        let kind: FileFacts.Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            case S_IFSOCK: .socket
            case S_IFLNK: .link
            default: .other
            }
        return .found(
            FileFacts(
                kind: kind, mode: status.st_mode & 0o7777, uid: status.st_uid, gid: status.st_gid,
                size: ByteCount(UInt64(max(0, status.st_size)))))
    }

    func names(in folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder))?.sorted() ?? []
    }

    func text(of path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }

    func isLocked(_ path: String) -> Bool? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // Shared, for an instant: another who looks at the same time is not taken for the owner.
        guard flock(descriptor, LOCK_SH | LOCK_NB) == 0 else { return errno == EWOULDBLOCK }
        return false
    }

    func fileSystem(of path: String) -> FileSystemFacts? {
        var found = clinux_file_system()
        guard clinux_file_system(path, &found) == 0 else { return nil }
        return FileSystemFacts(
            magic: found.magic, total: ByteCount(found.total_bytes),
            free: ByteCount(found.free_bytes), files: found.files, freeFiles: found.free_files)
    }

    func sharesBlocks(in folder: String) -> Bool? {
        let answer = clinux_probe_reflink(folder)
        return answer < 0 ? nil : answer == 1
    }

    func canRun(_ path: String) -> Bool { access(path, X_OK) == 0 }

    func run(_ words: [String]) -> ProgramResult? {
        SpawnedProcess.run(
            words, environment: environment.map { "\($0)=\($1)" }, withErrors: true,
            limit: 64 << 10, beyondLimit: .drop
        ).map {
            ProgramResult(
                status: $0.exitStatus, output: String(decoding: $0.output, as: UTF8.self))
        }
    }

    func connect(to socket: String) -> (error: Int32, listener: Int32) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(socket.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            return (ENAMETOOLONG, 0)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        // A full backlog would hold a blocking socket for ever.
        let kind =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = Glibc.socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return (errno, 0) }
        defer { close(descriptor) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { return (errno, 0) }
        var peer = clinux_peer()
        return (0, clinux_peer_credentials(descriptor, &peer) == 0 ? peer.pid : 0)
    }

    func userName(_ uid: UInt32) -> String {
        getpwuid(uid).map { String(cString: $0.pointee.pw_name) } ?? String(uid)
    }

    func groupName(_ gid: UInt32) -> String {
        getgrgid(gid).map { String(cString: $0.pointee.gr_name) } ?? String(gid)
    }

    func isListed(_ user: String, inGroup gid: UInt32) -> Bool {
        guard let group = getgrgid(gid), var member = group.pointee.gr_mem else { return false }
        while let name = member.pointee {
            if String(cString: name) == user { return true }
            member += 1
        }
        return false
    }

    func kernelFeatures() -> Set<KernelFacility> { KernelFacility.probe() }
}
