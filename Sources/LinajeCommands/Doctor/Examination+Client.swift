import LinajeDomain

extension Examination {
    /// The Python client and what it has not sent yet.
    func clientFindings() -> [Diagnosis] {
        spoolFindings() + pythonFindings()
    }

    /// The folder of all spools of the user (Clients/python, `_spool.py`).
    private var spoolRoot: String {
        let base = machine.environment["XDG_STATE_HOME"].flatMap { $0.isEmpty ? nil : $0 }
        return (base ?? (machine.environment["HOME"] ?? "/root") + "/.local/state")
            + "/linaje/spool"
    }

    private func spoolFindings() -> [Diagnosis] {
        let root = spoolRoot
        var findings: [Diagnosis] = []
        let place = machine.nearestThatExists(root)
        if case .found(let facts) = machine.look(at: place), facts.uid != machine.user.uid,
            place == root
        {
            findings.append(
                .failure(
                    "spool_folder",
                    "\(root) belongs to \(machine.userName(facts.uid)): what a "
                        + "training cannot send at once is lost",
                    "sudo chown -R \(machine.user.name): \(root)"))
        }
        if let disk = machine.fileSystem(of: place) {
            let kind = FileSystemKind(magic: disk.magic)
            if kind.nature == .network {
                findings.append(
                    .warning(
                        "spool_folder",
                        "\(root) is on \(kind.name), a network file system: what "
                            + "waits there for the daemon depends on the network",
                        "export XDG_STATE_HOME=/a/folder/on/a/local/disk where trainings start"))
            }
        }
        return findings + [waitingFinding(root)]
    }

    /// Spools of processes that ended before all was sent.
    private func waitingFinding(_ root: String) -> Diagnosis {
        var spools = 0
        var runs: Set<Substring> = []
        var bytes: UInt64 = 0
        for name in machine.names(in: root) where !name.hasPrefix(".") {
            // A living process, or one that sends what is left, holds the lock.
            guard machine.isLocked("\(root)/\(name)/lock") == false else { continue }
            spools += 1
            for file in machine.names(in: "\(root)/\(name)") {
                let isRecord = file.hasSuffix(".metrics") || file.hasSuffix(".ops")
                guard isRecord, case .found(let facts) = machine.look(at: "\(root)/\(name)/\(file)")
                else { continue }
                if let run = file.split(separator: ".").first { runs.insert(run) }
                bytes += facts.size.bytes
            }
        }
        guard spools > 0 else { return .ok("spool", "nothing of ended trainings waits to be sent") }
        let trainings = spools == 1 ? "training that has ended" : "trainings that have ended"
        return .warning(
            "spool",
            "\(ByteCount(bytes)) wait to be sent, of \(runs.count) \(runs.count == 1 ? "run" : "runs"), "
                + "left by \(spools) \(trainings)",
            facts == nil
                ? "start the daemon, then: python -m linaje sync"
                : "send it: python -m linaje sync; the next training does it too")
    }

    private func pythonFindings() -> [Diagnosis] {
        let environment = machine.environment["VIRTUAL_ENV"].flatMap {
            $0.isEmpty ? nil : $0 + "/bin/python"
        }
        guard
            let python = environment.flatMap({ machine.canRun($0) ? $0 : nil })
                ?? machine.program("python3")
        else { return [] }
        // Without the folder it is asked in, where anything may be called linaje.
        let question = "import sys; del sys.path[0]; import linaje; print(linaje.__version__)"
        guard let answer = machine.run([python, "-c", question]) else { return [] }
        let said = answer.output.split(separator: "\n").last.map(String.init) ?? ""
        let hint = "\(python) -m pip install " + (wheel ?? "the wheel of share/linaje/python")
        guard answer.status == 0 else {
            guard said.contains("No module named 'linaje'") else {
                return [.warning("python", "\(python) cannot import linaje: \(said)", hint)]
            }
            return [.ok("python", "\(python) has no Linaje client; to get it: \(hint)")]
        }
        guard said == version else {
            return [
                .warning(
                    "python", "the client of \(python) is \(said), this command line \(version)",
                    hint)
            ]
        }
        return [.ok("python", "the client of \(python) is \(said)")]
    }

    /// The wheel that was installed with this program.
    private var wheel: String? {
        let folder = machine.programFolder + "/../share/linaje/python"
        return machine.names(in: folder).first { $0.hasSuffix(".whl") }.map { "\(folder)/\($0)" }
    }
}
