import LinajeDomain
import LinajeTransport

/// All checks of `linaje doctor`: what the machine and the daemon say, judged. It asks nothing but
/// `machine`, so that tests can put it before any machine.
struct Examination: Sendable {
    let machine: any Machine
    /// The socket and the rule that names it; or why none can be found.
    let socket: Result<SocketChoice, LinajeError>
    let daemon: DaemonView
    /// The version of this program.
    let version: String

    /// A socket and the rule that names it.
    struct SocketChoice: Sendable, Hashable {
        var path: String
        var rule: SocketAddresses.Rule
    }

    /// Whether the daemon that is asked serves one user or the machine.
    enum Scope: Sendable, Hashable {
        case user, system
    }

    /// The findings of all checks, in the order in which causes come before their effects.
    func findings() -> [Diagnosis] {
        socketFindings() + daemonFindings() + stateFindings() + installationFindings()
            + machineFindings() + clientFindings()
    }

    var choice: SocketChoice? { try? socket.get() }

    var scope: Scope {
        guard let choice else { return .user }
        switch choice.rule {
        case .system: return .system
        case .user: return .user
        case .option, .environment:
            return choice.path == SocketAddresses.system ? .system : .user
        }
    }

    var facts: DaemonFacts? {
        if case .answers(let facts) = daemon { facts } else { nil }
    }

    /// The command that starts the daemon that is asked.
    var startCommand: String {
        guard hasSystemd else { return "linajed &" }
        return scope == .system
            ? "sudo systemctl enable --now linajed.socket"
            : "systemctl --user enable --now linajed.socket, or \"linajed &\""
    }

    /// Whether systemd is this machine's init (sd_booted(3)).
    var hasSystemd: Bool {
        if case .found = machine.look(at: "/run/systemd/system") { true } else { false }
    }
}

/// What came of asking the daemon.
enum DaemonView: Sendable {
    case answers(DaemonFacts)
    /// It does not answer, or refuses the caller.
    case fails(LinajeError)
}

/// What the daemon says of itself, as far as it is judged.
struct DaemonFacts: Sendable, Hashable {
    var agent: String
    var principal: String
    var role: String
    var version: String
    var stateDirectory: String
    var pid: Int32
    var startedAt: Timestamp
    var plugins: [Plugin]
    /// Why it accepts no changes.
    var failure: String?
    /// Files it may have open; 0 where it does not say.
    var openFilesLimit: UInt64 = 0
    /// Names of kernel features that it cannot use.
    var missingFeatures: [String] = []

    struct Plugin: Sendable, Hashable {
        var name: String
        var kind: String
        var failure: String?
    }
}
