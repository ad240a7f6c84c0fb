import ArgumentParser
import FoundationEssentials
import LinajeClient
import LinajeDomain
import LinajeHost
import LinajeTransport

/// `linaje doctor`
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check the installation and say what to do.",
        discussion: """
            Looks at the socket, the daemon, its state and disk, the configuration, the units, \
            limits, clock and kernel, and at what Python programs have not sent yet. Works without \
            a daemon too: then it says why there is none. It changes nothing.

            Ends with 1 when something does not work; warnings alone end with 0.

            EXAMPLES
              linaje doctor
              linaje doctor --socket /run/linaje/linaje.sock
              linaje doctor --json | jq '.findings[] | select(.verdict != "ok")'
            """)

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let machine = LocalMachine()
        let chosen = socket(machine)
        let view = await ask(chosen)
        let examination = Examination(
            machine: machine, socket: chosen, daemon: view, version: LinajeProgram.version)
        let findings = try await BlockingThread.run { examination.findings() }
        let isGood = !findings.contains { $0.verdict == .failure }
        if options.json {
            Output.line(report(findings, examination, isGood).text)
        } else {
            show(findings)
        }
        guard isGood else { throw ExitCode(ExitCodes.failed) }
    }

    private func socket(_ machine: LocalMachine) -> Result<Examination.SocketChoice, LinajeError> {
        do {
            let found = try SocketAddresses.choose(
                explicit: options.socket, environment: machine.environment)
            return .success(Examination.SocketChoice(path: found.path, rule: found.rule))
        } catch let error as LinajeError {
            return .failure(error)
        } catch {
            return .failure(LinajeError(.invalidArgument, "\(error)"))
        }
    }

    private func ask(_ socket: Result<Examination.SocketChoice, LinajeError>) async -> DaemonView {
        do {
            let client = try await LinajeClient.connect(
                to: try socket.get().path,
                configuration: ClientConfiguration(
                    agent: GlobalOptions.agent, deadline: .seconds(10), attempts: 1,
                    patience: .seconds(3)))
            return .answers(DaemonFacts(try await client.status(), client.daemon))
        } catch let error as LinajeError {
            return .fails(error)
        } catch {
            return .fails(LinajeError(.unavailable, "\(error)"))
        }
    }

    // MARK: What is printed

    private func show(_ findings: [Diagnosis]) {
        let style = options.style
        let width = findings.map(\.check.count).max() ?? 0
        for finding in findings {
            let name = finding.check.replacing("_", with: " ")
            let padding = String(repeating: " ", count: width - name.count + 2)
            Output.line(
                mark(finding.verdict, style) + "  " + name + padding + printable(finding.text))
            guard let hint = finding.hint else { continue }
            let indent = String(repeating: " ", count: width + 8)
            Output.line(indent + style.bold("-> " + printable(hint)))
        }
        let failures = findings.count { $0.verdict == .failure }
        let warnings = findings.count { $0.verdict == .warning }
        Output.line("")
        Output.line(
            failures + warnings == 0
                ? "all is well"
                : "\(failures) \(failures == 1 ? "failure" : "failures"), "
                    + "\(warnings) \(warnings == 1 ? "warning" : "warnings")")
    }

    private func mark(_ verdict: Diagnosis.Verdict, _ style: TextStyle) -> String {
        switch verdict {
        case .ok: style.good("ok     ")
        case .warning: style.bold("warning")
        case .failure: style.bad("failure")
        }
    }

    private func report(
        _ findings: [Diagnosis], _ examination: Examination, _ isGood: Bool
    ) -> JSONValue {
        let missing = Set(examination.missingFacilities)
        return .object([
            ("ok", .bool(isGood)), ("version", .string(examination.version)),
            ("socket", .optional(examination.choice?.path)),
            ("socket_rule", .optional(examination.choice?.rule.rawValue)),
            (
                "findings",
                .array(
                    findings.map { finding in
                        .object([
                            ("check", .string(finding.check)),
                            ("verdict", .string(finding.verdict.rawValue)),
                            ("text", .string(finding.text)), ("hint", .optional(finding.hint)),
                        ])
                    })
            ),
            (
                "kernel_features",
                .array(
                    KernelFacility.allCases.map { facility in
                        .object([
                            ("name", .string(facility.rawValue)),
                            ("available", .bool(!missing.contains(facility))),
                            ("since", .string(facility.since)),
                            ("without", .string(facility.lostWithout)),
                        ])
                    })
            ),
        ])
    }
}

extension DaemonFacts {
    /// What is judged of what a daemon said.
    init(_ status: DaemonStatus, _ greeting: DaemonGreeting) {
        self.init(
            agent: greeting.agent, principal: greeting.principal, role: greeting.role,
            version: status.version, stateDirectory: status.stateDirectory, pid: status.pid,
            startedAt: status.startedAt,
            plugins: status.plugins.map { plugin in
                Plugin(name: plugin.name, kind: plugin.kind, failure: plugin.failure)
            },
            failure: status.failure, openFilesLimit: status.openFilesLimit,
            missingFeatures: status.kernelFeatures.filter { !$0.isAvailable }.map(\.name))
    }
}
