import LinajeDomain

extension Examination {
    /// Programs, configuration and units.
    func installationFindings() -> [Diagnosis] {
        programFindings() + unitFindings()
    }

    private func programFindings() -> [Diagnosis] {
        guard let linajed = machine.program("linajed") else {
            return [
                .warning(
                    "configuration", "linajed is neither beside linaje nor in PATH",
                    "install it on the host that trains; on others nothing is missing")
            ]
        }
        guard let result = machine.run([linajed, "--check-config"]) else {
            return [
                .failure(
                    "configuration", "\(linajed) --check-config does not answer",
                    "run it by hand; reinstall Linaje if it does not start")
            ]
        }
        let said = result.output.split(separator: "\n").map(String.init)
        switch result.status {
        case 0:
            let settings = said.dropFirst().joined(separator: ", ")
            let good = Diagnosis.ok(
                "configuration", "good for a daemon that you start: \(settings)")
            return facts == nil ? [good] + flavorFindings(settings) : [good]
        case 78:
            return [
                .failure(
                    "configuration", said.last ?? "the configuration is not good",
                    "correct linaje.toml; docs/configuration.md lists its keys")
            ]
        default:
            return [
                .failure(
                    "configuration",
                    "\(linajed) ends with \(result.status): \(said.last ?? "no word")",
                    "reinstall Linaje; libraries may be missing: ldd \(linajed)")
            ]
        }
    }

    /// Without a daemon, what it would find.
    private func flavorFindings(_ settings: String) -> [Diagnosis] {
        guard settings.contains("flavor host: none") else { return [] }
        return [
            .warning(
                "flavors", "models would not be examined: there is no linaje-flavor-host",
                Self.flavorHint)
        ]
    }

    // MARK: Units

    private func unitFindings() -> [Diagnosis] {
        let check = "units"
        guard hasSystemd, let systemctl = machine.program("systemctl") else {
            return [.ok(check, "systemd does not run here: something else starts the daemon")]
        }
        let isUser = scope == .user
        let command = [systemctl] + (isUser ? ["--user"] : [])
        let properties =
            "--property=Id,LoadState,UnitFileState,ActiveState,NeedDaemonReload,TasksMax"
        guard
            let result = machine.run(
                command + ["show", properties, "linajed.socket", "linajed.service"]),
            result.status == 0
        else {
            return [
                .warning(
                    check, "systemctl does not tell of linajed",
                    "see what \"systemctl status linajed.socket\" says")
            ]
        }
        let units = UnitFacts.parse(result.output)
        let words = isUser ? "systemctl --user" : "sudo systemctl"
        return units.flatMap { unitFindings($0, words) } + lingeringFindings(units)
    }

    private func unitFindings(_ unit: UnitFacts, _ systemctl: String) -> [Diagnosis] {
        let check = "units"
        guard unit.loadState == "loaded" else {
            return [
                .warning(
                    check, "\(unit.id) is not installed: systemd does not start the daemon",
                    "install Linaje for \(scope == .user ? "you" : "the machine"), see README.md; "
                        + "nothing to do when something else starts it")
            ]
        }
        var findings: [Diagnosis] = []
        if unit.activeState == "failed" {
            let journal = scope == .user ? "journalctl --user" : "sudo journalctl"
            findings.append(
                .failure(
                    check, "\(unit.id) has failed", "see why: \(journal) -u \(unit.id) -n 50"))
        }
        if unit.needsReload {
            findings.append(
                .warning(
                    check, "\(unit.id) has changed since systemd read it",
                    "\(systemctl) daemon-reload"))
        }
        // The service is started by its socket, so only the socket must be enabled.
        if unit.id == "linajed.socket", !unit.fileState.hasPrefix("enabled") {
            findings.append(
                .warning(
                    check,
                    "\(unit.id) is \(unit.fileState): the daemon is not there after a restart "
                        + "of the machine", "\(systemctl) enable --now \(unit.id)"))
        }
        if let tasks = unit.tasksMax, tasks < 64 {
            findings.append(
                .warning(
                    check, "\(unit.id) may have only \(tasks) threads",
                    "set TasksMax=512 by \"\(systemctl) edit \(unit.id)\""))
        }
        guard findings.isEmpty else { return findings }
        return [.ok(check, "\(unit.id) is \(unit.activeState)")]
    }

    private func lingeringFindings(_ units: [UnitFacts]) -> [Diagnosis] {
        let name = machine.user.name
        guard scope == .user, machine.user.uid != 0,
            units.contains(where: { $0.activeState == "active" })
        else { return [] }
        guard case .found = machine.look(at: "/var/lib/systemd/linger/\(name)") else {
            return [
                .warning(
                    "lingering", "your daemon ends when you log out",
                    "sudo loginctl enable-linger \(name)")
            ]
        }
        return [.ok("lingering", "your daemon goes on when you log out")]
    }
}

/// A unit as `systemctl show` tells of it.
struct UnitFacts: Sendable, Hashable {
    var id: String
    var loadState: String
    var fileState: String
    var activeState: String
    var needsReload: Bool
    /// `nil`: as many as one likes.
    var tasksMax: UInt64?

    /// Reads blocks of KEY=VALUE lines with an empty line between them.
    static func parse(_ text: String) -> [UnitFacts] {
        var blocks: [[String: String]] = [[:]]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            guard let equals = line.firstIndex(of: "=") else {
                blocks.append([:])
                continue
            }
            let key = String(line[..<equals])
            blocks[blocks.count - 1][key] = String(line[line.index(after: equals)...])
        }
        return blocks.compactMap { block in
            guard let id = block["Id"] else { return nil }
            return UnitFacts(
                id: id, loadState: block["LoadState"] ?? "",
                fileState: block["UnitFileState"] ?? "",
                activeState: block["ActiveState"] ?? "",
                needsReload: block["NeedDaemonReload"] == "yes",
                tasksMax: block["TasksMax"].flatMap { UInt64($0) })
        }
    }
}
