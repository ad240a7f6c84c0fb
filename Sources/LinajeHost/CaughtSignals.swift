import CLinux
import Glibc

/// Signals of this process, as values to be read.
package struct CaughtSignals: Sendable {
    /// One of them.
    package struct Signal: Sendable {
        package var number: Int32
        /// Whether a terminal sent it, to its whole foreground group.
        package var isFromTerminal: Bool
    }

    private let pipe: Int32

    /// From now on these signals do nothing but wait to be read; one that is ignored stays so. `nil`
    /// when there are no more descriptors.
    package init?(_ numbers: [Int32]) {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) == 0 else { return nil }
        clinux_catch_signals(numbers, CInt(numbers.count), ends[1])
        pipe = ends[0]
    }

    /// The next one. Blocks; `nil` when there can be no more.
    package func next() -> Signal? {
        while true {
            var caught = clinux_caught()
            let count = read(pipe, &caught, MemoryLayout<clinux_caught>.size)
            if count < 0, errno == EINTR { continue }
            guard count == MemoryLayout<clinux_caught>.size else { return nil }
            return Signal(number: caught.signal, isFromTerminal: caught.from_terminal != 0)
        }
    }
}
