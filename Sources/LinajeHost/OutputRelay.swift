import CLinux
import Glibc

/// Carries one output of a command to ours, byte by byte, and remembers its end; with a bell, copies
/// it for us too.
///
/// A process of its own does the carrying: it outlives us, so that neither our end nor a kill of us
/// is noticed by whoever still writes, and it never waits for us. Towards a terminal it is a pseudo
/// terminal, so that progress bars work as before; else a pipe.
// Safe because the shared memory has one reader, the caller of `take`, which the relay's own counters
// keep apart from what it writes; the rest is only read, and may be of any moment.
package final class OutputRelay: @unchecked Sendable {
    /// Bytes that were carried, as the relay read them.
    package struct Copy: Sendable {
        /// Microseconds since 1970 UTC.
        package var time: Int64
        /// Bytes before these that were carried and not copied, because nobody took copies.
        package var missing: UInt64
        package var bytes: [UInt8]
    }

    /// What the command gets as its output.
    package let end: Int32
    private let process: Int32
    private let shared: UnsafeMutablePointer<clinux_relay>

    /// Most bytes that the relay carries at once.
    private static let copyBytes = 1 << 16

    /// `nil` when there is no such output, or no relay can be made: then the command gets ours and
    /// nothing is remembered.
    ///
    /// - Parameters:
    ///   - output: standard output or standard error.
    ///   - bell: rung after each copy; `nil`: nothing is copied.
    package init?(_ output: Int32, bell: CopyBell? = nil) {
        guard fcntl(output, F_GETFD) >= 0 else { return nil }
        var ends: [Int32] = [-1, -1]
        var isOpen = false
        if isatty(output) == 1 {
            var (controller, terminal): (Int32, Int32) = (-1, -1)
            isOpen = clinux_open_terminal(output, &controller, &terminal) == 0
            ends = [controller, terminal]
        }
        guard isOpen || clinux_pipe(&ends) == 0 else { return nil }
        var memory: UnsafeMutablePointer<clinux_relay>?
        process = clinux_start_relay(ends[0], output, bell?.descriptor ?? -1, &memory)
        close(ends[0])
        guard process > 0, let memory else {
            close(ends[1])
            return nil
        }
        end = ends[1]
        shared = memory
    }

    /// The command has its output: from now on only it keeps the relay going.
    package func handedOver() { close(end) }

    /// The oldest copy that was not taken; `nil` when there is none. For one caller at a time.
    package func take() -> Copy? {
        var entry = clinux_relay_entry()
        var isThere: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.copyBytes) { buffer, count in
            isThere = clinux_relay_take(
                shared, &entry, buffer.baseAddress, UInt32(Self.copyBytes))
            count = isThere == 1 ? Int(entry.length) : 0
        }
        guard isThere == 1 else { return nil }
        return Copy(time: entry.time_us, missing: entry.missing, bytes: bytes)
    }

    /// Bytes at the end that were carried and not copied; for when all copies were taken.
    package var missingAtEnd: UInt64 { shared.pointee.missing }

    /// Waits, after the command has ended, until what it wrote has been carried, and gives the end
    /// of that and whether there was more before. Processes that the command left behind may hold
    /// its output open, and whoever reads ours may be slow: neither is waited for long, the relay
    /// goes on without us. Blocks.
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

/// What relays ring when they have copied something, for one thread that waits.
package final class CopyBell: Sendable {
    let descriptor: Int32

    /// `nil` when there are no more descriptors.
    package init?() {
        descriptor = clinux_bell()
        guard descriptor >= 0 else { return nil }
    }

    deinit { close(descriptor) }

    /// Waits until it rings, at most so long. Blocks.
    package func wait(milliseconds: Int32) { clinux_wait_for_bell(descriptor, milliseconds) }

    /// Rings it.
    package func ring() { clinux_ring(descriptor) }
}
