import CLinux
import Glibc

/// Carries a command's standard error to ours, byte by byte, and remembers its end.
///
/// A process of its own does the carrying: it outlives us, so that neither our end nor a kill of us
/// is noticed by whoever still writes. Towards a terminal it is a pseudo terminal, so that progress
/// bars work as before; else a pipe.
// Safe because the shared memory is only read here, and what is read may be of any moment.
package final class ErrorRelay: @unchecked Sendable {
    /// What the command gets as its standard error.
    package let end: Int32
    private let process: Int32
    private let shared: UnsafeMutablePointer<clinux_relay>

    /// `nil` when there is no standard error, or no relay can be made: then the command gets ours
    /// and nothing is remembered.
    package init?() {
        guard fcntl(STDERR_FILENO, F_GETFD) >= 0 else { return nil }
        var ends: [Int32] = [-1, -1]
        var isOpen = false
        if isatty(STDERR_FILENO) == 1 {
            var (controller, terminal): (Int32, Int32) = (-1, -1)
            isOpen = clinux_open_terminal(STDERR_FILENO, &controller, &terminal) == 0
            ends = [controller, terminal]
        }
        guard isOpen || clinux_pipe(&ends) == 0 else { return nil }
        var memory: UnsafeMutablePointer<clinux_relay>?
        process = clinux_start_relay(ends[0], STDERR_FILENO, &memory)
        close(ends[0])
        guard process > 0, let memory else {
            close(ends[1])
            return nil
        }
        end = ends[1]
        shared = memory
    }

    /// The command has its standard error: from now on only it keeps the relay going.
    package func handedOver() { close(end) }

    /// Waits, after the command has ended, until what it wrote has been carried, and gives the end
    /// of that and whether there was more before. Processes that the command left behind may hold
    /// its standard error open, and whoever reads ours may be slow: neither is waited for long, the
    /// relay goes on without us. Blocks.
    package func finish() -> (tail: [UInt8], isCut: Bool) {
        let clock = ContinuousClock()
        let begin = clock.now
        var isAsked = false
        while waitpid(process, nil, WNOHANG) == 0 {
            let waited = begin.duration(to: clock.now)
            if !isAsked, waited > .milliseconds(100) {
                clinux_relay_ask(shared, process)
                isAsked = true
            }
            if isAsked, clinux_relay_answered(shared) == 1 { break }
            if waited > .seconds(2) { break }
            usleep(2_000)
        }
        var tail = [UInt8](repeating: 0, count: Int(CLINUX_RELAY_TAIL))
        let carried = clinux_relay_tail(shared, &tail)
        let isCut = carried > UInt64(tail.count)
        return (isCut ? tail : Array(tail[..<Int(carried)]), isCut)
    }
}
