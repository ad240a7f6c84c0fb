import CStorageCalls
import Glibc
import LinajeDomain

/// Owners and modes of what is in a state directory: everything belongs to one user and is closed
/// to others.
struct StateModes {
    let directory: String
    let report: RecoveryReport

    func run() {
        var closed: [String] = []
        var foreign: [String] = []
        visit(directory, &closed, &foreign)
        if !closed.isEmpty {
            report.add(
                .repaired, "modes", "\(closed.count) files or folders were open to others",
                "they are closed", affected: closed)
        }
        if !foreign.isEmpty {
            report.add(
                .lost, "modes", "\(foreign.count) files or folders belong to somebody else",
                "run chown -R \(getuid()) \(directory) as root", affected: foreign)
        }
    }

    private func visit(_ path: String, _ closed: inout [String], _ foreign: inout [String]) {
        var status = storage_status()
        guard storage_status_of_link(path, &status) == 0 else { return }
        let isFolder = status.mode & S_IFMT == S_IFDIR
        guard isFolder || status.mode & S_IFMT == S_IFREG else { return }
        if status.owner != getuid() {
            foreign.append(path)
        } else if status.mode & 0o077 != 0 {
            if !report.isDryRun { storage_chmod(path, status.mode & 0o700) }
            closed.append(path)
        }
        guard isFolder else { return }
        for name in FileFacts.names(path) { visit("\(path)/\(name)", &closed, &foreign) }
    }
}
