import LinajeDomain

extension Examination {
    /// The state directory and the disk below it.
    func stateFindings() -> [Diagnosis] {
        let path = facts?.stateDirectory ?? expectedStateDirectory
        return [directoryFinding(path)] + lockFindings(path) + diskFindings(path)
            + fileSystemFindings(path) + logFindings(path)
    }

    /// Where a daemon that does not answer would keep its state.
    private var expectedStateDirectory: String {
        if scope == .system { return "/var/lib/linaje" }
        let state = machine.environment["XDG_STATE_HOME"].flatMap { $0.isEmpty ? nil : $0 }
        return (state ?? (machine.environment["HOME"] ?? "/root") + "/.local/state") + "/linaje"
    }

    private func directoryFinding(_ path: String) -> Diagnosis {
        let check = "state_directory"
        switch machine.look(at: path) {
        case .missing:
            guard facts == nil else {
                return .failure(
                    check, "\(path) is not there although the daemon runs on it",
                    "stop the daemon and bring the directory back before anything else")
            }
            return .ok(check, "\(path) will be made when the daemon starts")
        case .hidden: return .ok(check, "\(path), which is closed to you as it should be")
        case .found(let found):
            guard found.kind == .folder || found.kind == .link else {
                return .failure(check, "\(path) is no folder", "move it away")
            }
            if found.kind == .folder, found.mode & 0o077 != 0 {
                // The daemon does not start on one that others may write to.
                let isWritable = found.mode & 0o022 != 0
                return Diagnosis(
                    check: check, verdict: isWritable ? .failure : .warning,
                    text: "\(path) (\(machine.describe(found))) is open to others",
                    hint: "chmod 0700 \(path)")
            }
            guard found.uid == expectedOwner(found) else {
                return .failure(
                    check,
                    "\(path) belongs to \(machine.userName(found.uid)), not to the daemon's "
                        + "user \(machine.userName(expectedOwner(found)))",
                    "sudo chown -R \(machine.userName(expectedOwner(found))): \(path)")
            }
            return .ok(check, "\(path), \(machine.describe(found))")
        }
    }

    /// Whom the state directory should belong to: whoever the daemon runs as.
    private func expectedOwner(_ found: FileFacts) -> UInt32 {
        if let facts, case .found(let process) = machine.look(at: "/proc/\(facts.pid)") {
            return process.uid
        }
        return scope == .user ? machine.user.uid : found.uid
    }

    private func lockFindings(_ path: String) -> [Diagnosis] {
        guard facts == nil, machine.isLocked(path + "/lock") == true else { return [] }
        return [
            .failure(
                "state_lock", "a daemon runs on \(path), but not on this socket",
                "find its socket: systemctl status linajed, or \"ps -C linajed -o args\"")
        ]
    }

    private func diskFindings(_ path: String) -> [Diagnosis] {
        guard let disk = machine.fileSystem(of: machine.nearestThatExists(path)) else { return [] }
        let share = disk.total.bytes == 0 ? 1 : Double(disk.free.bytes) / Double(disk.total.bytes)
        let text = "\(disk.free) of \(disk.total) are free for \(path)"
        let hint =
            "delete what is not needed or move \(path) to a larger disk (state_directory in "
            + "linaje.toml); training goes on, points wait in its spool"
        var findings: [Diagnosis] = []
        if disk.free.bytes < 64 << 20 {
            findings.append(.failure("disk", text, hint))
        } else if disk.free.bytes < 1 << 30 || share < 0.05 {
            findings.append(.warning("disk", text, hint))
        } else {
            findings.append(.ok("disk", text))
        }
        if disk.files > 0, disk.freeFiles < 1_000 {
            let verdict: Diagnosis.Verdict = disk.freeFiles < 32 ? .failure : .warning
            findings.append(
                Diagnosis(
                    check: "inodes", verdict: verdict,
                    text: "only \(disk.freeFiles) more files can be made on the disk of \(path)",
                    hint: "delete small files there that are not needed"))
        }
        return findings
    }

    private func fileSystemFindings(_ path: String) -> [Diagnosis] {
        let existing = machine.nearestThatExists(path)
        guard let disk = machine.fileSystem(of: existing) else { return [] }
        let kind = FileSystemKind(magic: disk.magic)
        switch kind.nature {
        case .network:
            return [
                .failure(
                    "file_system",
                    "\(path) is on \(kind.name), a network file system: locks and "
                        + "shared memory of the databases do not hold there",
                    "move it to a local disk: state_directory in linaje.toml")
            ]
        case .foreign:
            return [
                .warning(
                    "file_system",
                    "\(path) is on \(kind.name): locks and shared memory of the "
                        + "databases may not hold there",
                    "move it to a local disk: state_directory in linaje.toml")
            ]
        case .memory:
            return [
                .warning(
                    "file_system",
                    "\(path) is on \(kind.name), in memory: all is gone when the "
                        + "machine restarts",
                    "move it to a local disk: state_directory in linaje.toml")
            ]
        case .layered:
            return [
                .warning(
                    "file_system",
                    "\(path) is on \(kind.name), perhaps the layer of a container, "
                        + "which goes with it",
                    "mount a volume there")
            ]
        case .local:
            let copies =
                switch machine.sharesBlocks(in: existing) {
                case true?: ", copies share their blocks"
                case false?: ", copies take their full size"
                case nil: ""
                }
            return [.ok("file_system", kind.name + copies)]
        }
    }

    /// The write-ahead logs, where the caller may see them.
    private func logFindings(_ path: String) -> [Diagnosis] {
        let sizes = ["catalog", "metrics"].compactMap { name -> (String, ByteCount)? in
            guard case .found(let log) = machine.look(at: "\(path)/\(name).db-wal") else {
                return nil
            }
            return (name, log.size)
        }
        guard !sizes.isEmpty else { return [] }
        let text = sizes.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        guard sizes.contains(where: { $0.1.bytes > 512 << 20 }) else {
            return [.ok("write_ahead_logs", text)]
        }
        return [
            .warning(
                "write_ahead_logs", "\(text): they are not written back",
                "a reader that never ends holds them up: look for \"linaje\" or Python programs "
                    + "that read for hours, end them; the daemon shortens the logs by itself")
        ]
    }
}
