import ArgumentParser
import CStorageCalls
import Glibc
import LinajeDomain

/// The command line `linaje`.
///
/// It ends with 0 when all went well, 1 when a request failed, 2 when the command line makes no
/// sense, 69 when no daemon is reachable, 75 when the same may work later.
package enum LinajeProgram {
    /// Version of the command line.
    static let version = LinajeVersion.current

    package static func main() async -> Never {
        #if DEBUG
            armStorageFaults()
        #endif
        do {
            try checkHelp(CommandLine.arguments.dropFirst())
            var command = try LinajeCommand.parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            Output.flush()
            exit(0)
        } catch {
            Output.flush()
            exit(report(error))
        }
    }

    #if DEBUG
        /// Makes system calls on backups fail where a test wants it, see CONTRIBUTING.md.
        private static func armStorageFaults() {
            guard let text = storage_faults_from_environment() else { return }
            Output.error("LINAJE_STORAGE_FAULTS is not understood: \(String(cString: text))")
            Output.flush()
            exit(ExitCodes.usage)
        }
    #endif

    /// Makes sure that "linaje help WORD" names a command, which the parser does not.
    private static func checkHelp(_ words: ArraySlice<String>) throws {
        guard words.first == "help", let unknown = CommandNames.unknown(in: words.dropFirst())
        else { return }
        throw ValidationError(unknown.message)
    }

    /// Says what went wrong and returns the exit code.
    private static func report(_ error: any Error) -> Int32 {
        switch error {
        case let error as LinajeError:
            Output.error("\(error.message) (\(error.code.name))")
            for line in ErrorPlace.lines(of: error) { Output.complaint(line) }
            if error.details["unreachable"] != nil {
                Output.note(
                    "start it with \"linajed\" or \"systemctl start linajed\", or name its socket "
                        + "with --socket or LINAJE_SOCKET")
                return ExitCodes.unreachable
            }
            return error.isRetryable ? ExitCodes.retryable : ExitCodes.failed
        case is CancellationError:
            Output.error("cancelled")
            return ExitCodes.retryable
        default: break
        }
        let text = LinajeCommand.fullMessage(for: error)
        switch LinajeCommand.exitCode(for: error) {
        case .success:
            Output.line(text)
            Output.flush()
            return 0
        case .validationFailure:
            // What the parser says of a mistyped command is about arguments.
            let words = CommandLine.arguments.dropFirst()
            if words.first != "help", let unknown = CommandNames.unknown(in: words) {
                Output.error(unknown.message)
                return ExitCodes.usage
            }
            let mark = "Error: "
            Output.error(text.hasPrefix(mark) ? String(text.dropFirst(mark.count)) : text)
            return ExitCodes.usage
        case let code:
            if !text.isEmpty { Output.complaint(text) }
            return code.rawValue
        }
    }
}

/// How the program ends.
enum ExitCodes {
    /// A request failed.
    static let failed: Int32 = 1
    /// The command line makes no sense.
    static let usage: Int32 = 2
    /// What was compared differs, or what was scanned is bad, for commands that are asked to say so.
    static let differs: Int32 = 3
    /// The same, in a way that breaks who relies on it.
    static let breaks: Int32 = 4
    /// No daemon is reachable (EX_UNAVAILABLE).
    static let unreachable: Int32 = 69
    /// The same may work later (EX_TEMPFAIL).
    static let retryable: Int32 = 75
}
