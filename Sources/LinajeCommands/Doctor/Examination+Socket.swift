import Glibc
import LinajeDomain
import LinajeTransport

extension Examination {
    /// Where the socket is, whether the caller can get to it, and who answers.
    func socketFindings() -> [Diagnosis] {
        switch socket {
        case .failure(let error):
            return [
                .failure(
                    "socket", error.message, "remove what is in the way, or name the socket")
            ]
        case .success(let choice):
            let folder = String(
                choice.path[..<(choice.path.lastIndex(of: "/") ?? choice.path.startIndex)])
            return [.ok("socket", "\(choice.path), \(reason(choice.rule))")]
                + folderFindings(folder.isEmpty ? "/" : folder) + fileFindings(choice.path)
                + [connectionFinding(choice.path)]
        }
    }

    private func reason(_ rule: SocketAddresses.Rule) -> String {
        switch rule {
        case .option: "named by --socket"
        case .environment: "named by LINAJE_SOCKET"
        case .user: "your own, which goes before the system's"
        case .system: "the system's, because none is named and you have none of your own"
        }
    }

    private func folderFindings(_ folder: String) -> [Diagnosis] {
        let check = "socket_folder"
        switch machine.look(at: folder) {
        // Told of by the attempt to connect.
        case .missing: return []
        case .hidden: return [.failure(check, "\(folder) is closed to you", accessHint(nil))]
        case .found(let facts):
            guard facts.kind == .folder || facts.kind == .link else {
                return [.failure(check, "\(folder) is no folder", "remove it")]
            }
            let isSticky = facts.mode & 0o1000 != 0
            if facts.kind == .folder, facts.mode & 0o002 != 0, !isSticky {
                return [
                    .failure(
                        check,
                        "\(folder) (\(machine.describe(facts))) lets anybody replace the socket",
                        "chmod o-w \(folder)")
                ]
            }
            if choice?.rule == .user, facts.uid != machine.user.uid {
                return [
                    .failure(
                        check, "\(folder) belongs to \(machine.userName(facts.uid)), not to you",
                        "ask its owner to remove it, or name the socket with --socket")
                ]
            }
            return [.ok(check, "\(folder), \(machine.describe(facts))")]
        }
    }

    private func fileFindings(_ path: String) -> [Diagnosis] {
        let check = "socket_file"
        // A path that is missing is told of by the attempt to connect.
        guard case .found(let facts) = machine.look(at: path) else { return [] }
        guard facts.kind == .socket else {
            return [
                .failure(check, "\(path) is no socket", "move it away, then \(startHint)")
            ]
        }
        guard mayConnect(facts) else {
            return [
                .failure(
                    check, "\(path) (\(machine.describe(facts))) is closed to you",
                    accessHint(facts.gid))
            ]
        }
        if facts.mode & 0o002 != 0, scope == .system {
            return [
                .warning(
                    check,
                    "\(path) (\(machine.describe(facts))) is open to everybody: only the "
                        + "access tables keep strangers out",
                    "chmod 0660 \(path), and SocketMode=0660 in linajed.socket")
            ]
        }
        return [.ok(check, "\(path), \(machine.describe(facts))")]
    }

    /// Connecting takes the permission to write.
    private func mayConnect(_ facts: FileFacts) -> Bool {
        let user = machine.user
        if user.uid == 0 { return true }
        if user.uid == facts.uid { return facts.mode & 0o200 != 0 }
        if user.groups.contains(facts.gid) { return facts.mode & 0o020 != 0 }
        return facts.mode & 0o002 != 0
    }

    private func connectionFinding(_ path: String) -> Diagnosis {
        let check = "daemon"
        switch daemon {
        case .answers(let facts):
            return .ok(
                check,
                "\(facts.agent), process \(facts.pid); you are \(facts.principal), \(facts.role)")
        case .fails(let error):
            // Asked again in the plainest way: the error may be of a later step.
            let attempt = machine.connect(to: path)
            switch attempt.error {
            case 0 where error.code == .permissionDenied:
                return .failure(check, "the daemon refuses you: \(error.message)", accessHint(nil))
            case 0: return silentFinding(path, error, attempt.listener)
            case ENOENT, ENOTDIR:
                return .failure(check, "no daemon runs: \(path) does not exist", startHint)
            case ECONNREFUSED:
                return .failure(
                    check, "no daemon runs: \(path) was left behind by one that is gone",
                    "\(startHint); the new daemon replaces the file")
            case EACCES, EPERM:
                return .failure(check, "you may not open \(path)", accessHint(nil))
            case EAGAIN:
                return .failure(
                    check, "the daemon does not take up connections: its backlog is full",
                    "it may be stopped or hung: look at \"systemctl status linajed\", then restart "
                        + "it")
            case let number:
                return .failure(
                    check, "\(path) cannot be opened: \(String(cString: strerror(number)))",
                    startHint)
            }
        }
    }

    /// Somebody listens, but the daemon does not answer.
    private func silentFinding(_ path: String, _ error: LinajeError, _ listener: Int32) -> Diagnosis
    {
        // "PID (NAME) STATE …" (proc_pid_stat(5)); a name may hold brackets.
        let stat = machine.text(of: "/proc/\(listener)/stat") ?? ""
        let state = stat.split(separator: ")").last?.split(separator: " ").first
        if state == "T" || state == "t" {
            return .failure(
                "daemon", "process \(listener), which listens on \(path), is stopped",
                "let it go on: kill -CONT \(listener)")
        }
        return .failure(
            "daemon",
            "something listens on \(path) but does not answer as it should: "
                + error.message,
            "the daemon may be hung or overloaded: see what it has logged (\"systemctl status "
                + "linajed\"), then restart it")
    }

    private var startHint: String { "start it: \(startCommand)" }

    /// How the caller gets in. `gid`: the group that the socket is open to, if it is known.
    private func accessHint(_ gid: UInt32?) -> String {
        let user = machine.user.name
        if let gid, machine.isListed(user, inGroup: gid) {
            return "you are in group \(machine.groupName(gid)) since your login: log in again"
        }
        let group = gid.flatMap { $0 == 0 ? nil : machine.groupName($0) } ?? "linaje"
        return "sudo usermod -aG \(group) \(user), then log in again; or let an administrator give "
            + "you a role in [access.users] of linaje.toml"
    }
}
