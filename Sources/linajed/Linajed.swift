import ArgumentParser
import CStorageCalls
import FoundationEssentials
import Glibc
import LinajeDomain
import LinajeServices

/// The daemon's command line.
@main
struct Linajed: AsyncParsableCommand {
    /// Version of the daemon.
    static let version = LinajeVersion.current

    static let configuration = CommandConfiguration(
        commandName: "linajed",
        abstract: "The Linaje daemon: runs, metrics, artifacts and the model registry of one host.",
        discussion: """
            Without options it serves the user who starts it: state in ~/.local/state/linaje, \
            socket in $XDG_RUNTIME_DIR/linaje. Under systemd it uses the directories and the \
            socket that systemd gives it. Options win over the configuration file.

            The configuration is looked for in $XDG_CONFIG_HOME/linaje/linaje.toml and \
            /etc/linaje/linaje.toml; docs/configuration.md lists its keys. SIGHUP reads it again; \
            SIGTERM and SIGINT let open calls end, then stop the daemon.
            """,
        version: version)

    @Option(help: ArgumentHelp("The configuration file.", valueName: "path"))
    var config: String?

    @Option(help: ArgumentHelp("Where everything is kept.", valueName: "path"))
    var stateDirectory: String?

    @Option(help: ArgumentHelp("The Unix socket to listen on.", valueName: "path"))
    var socket: String?

    @Option(help: "debug, info, notice, warning or error.")
    var logLevel: String?

    @Flag(help: "Check the configuration, say what would be used, and exit.")
    var checkConfig = false

    @Flag(
        help: """
            Look at everything in the state directory while no daemon uses it, put right what can \
            be, and exit: 0 when all is well then, 1 when something is lost or needs a person.
            """)
    var recover = false

    @Flag(help: "With --recover: change nothing, only say what would be done.")
    var dryRun = false

    @Flag(help: "With --recover: also rewrite databases that `linaje maintain` cannot shrink.")
    var vacuum = false

    @Flag(help: "With --recover: print one JSON object instead of text for people.")
    var json = false

    func validate() throws {
        guard recover || !(dryRun || vacuum || json) else {
            throw ValidationError("--dry-run, --vacuum and --json belong to --recover")
        }
    }

    static func main() async {
        #if DEBUG
            armStorageFaults()
        #endif
        _ = ProcessSignals.caught
        await main(nil)
    }

    #if DEBUG
        /// Makes system calls of the storage fail where a test wants it, see CONTRIBUTING.md.
        private static func armStorageFaults() {
            guard let text = storage_faults_from_environment() else { return }
            print("LINAJE_STORAGE_FAULTS is not understood: \(String(cString: text))")
            Glibc.exit(EX_USAGE)
        }
    #endif

    func run() async throws {
        do {
            let source = ConfigurationSource(
                path: config, stateDirectory: stateDirectory, socket: socket, logLevel: logLevel,
                environment: ProcessInfo.processInfo.environment, program: Self.executablePath)
            let (configuration, settings) = try source.load()
            if checkConfig {
                print("configuration is good")
                print("state directory: \(settings.stateDirectory)")
                print("socket: \(settings.socket)")
                print("packs: \(settings.artifacts.summary)")
                print("metrics over HTTP: \(settings.telemetrySocket?.path ?? "off")")
                print("flavor host: \(settings.flavors.host ?? "none: models are not examined")")
            } else if recover {
                try await recover(settings)
            } else {
                try await serve(settings, running: configuration, from: source)
            }
        } catch let error as LinajeError where error.code == .cancelled {
            // Told to stop before it was ready: nothing is half done.
        } catch let error as LinajeError {
            StandardError.write("linajed: error: \(error.message) (\(error.code.name))")
            throw ExitCode(error.code == .invalidArgument ? 78 : 1)
        }
    }

    private func recover(_ settings: DaemonSettings) async throws {
        umask(0o077)
        // A recovery may be interrupted anywhere; the daemon's way to stop would make it wait.
        for number in [SIGINT, SIGTERM, SIGHUP] { signal(number, SIG_DFL) }
        let report = RecoveryReport(isDryRun: dryRun, isQuiet: json)
        let recovery = Recovery(
            directory: settings.stateDirectory, rewriting: vacuum, report: report,
            environment: ProcessInfo.processInfo.environment, socket: settings.socket,
            settings: settings.artifacts)
        var failure: LinajeError?
        do {
            try await recovery.run()
        } catch let error as LinajeError {
            failure = error
        }
        if json {
            print(try report.json(settings.stateDirectory, failure: failure))
        } else if failure == nil {
            print(report.summary)
        }
        if let failure { throw failure }
        if report.isBad { throw ExitCode(1) }
    }

    private static var executablePath: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? CommandLine.arguments[0]
    }
}
