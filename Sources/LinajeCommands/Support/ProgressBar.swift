import FoundationEssentials
import Glibc
import LinajeClient
import LinajeDomain
import Synchronization

/// Shows on a terminal how far a transfer is; elsewhere nothing.
final class ProgressBar: Sendable {
    private let label: String
    private let isShown: Bool
    private let lastDrawn = Mutex<ContinuousClock.Instant?>(nil)

    init(_ label: String, isQuiet: Bool) {
        self.label = label
        isShown = !isQuiet && isatty(STDERR_FILENO) == 1
    }

    /// Gets the progress; `nil` where nothing is shown.
    var observer: TransferObserver? {
        guard isShown else { return nil }
        return { self.draw($0) }
    }

    /// Removes the bar.
    func clear() {
        if isShown { Output.diagnostic("\r\u{1B}[K") }
    }

    private func draw(_ progress: TransferProgress) {
        let now = ContinuousClock.now
        let isDue = lastDrawn.withLock { last in
            let isEnd = progress.files == progress.totalFiles
            guard isEnd || last.map({ now - $0 >= .milliseconds(100) }) ?? true else {
                return false
            }
            last = now
            return true
        }
        guard isDue else { return }
        let share =
            progress.totalBytes == 0
            ? 1 : min(1, Double(progress.bytes) / Double(progress.totalBytes))
        let width = 24
        let full = Int(share * Double(width))
        let bar =
            String(repeating: "#", count: full) + String(repeating: "-", count: width - full)
        Output.diagnostic(
            "\r\u{1B}[K\(label) [\(bar)] \(Int(share * 100)) %  \(ByteCount(progress.bytes)) of "
                + "\(ByteCount(progress.totalBytes)), \(progress.files)/\(progress.totalFiles) files"
        )
    }
}

/// Shows on a terminal which step a piece of work is at; elsewhere nothing.
struct StepBar {
    private let isShown: Bool

    init(isQuiet: Bool) { isShown = !isQuiet && isatty(STDERR_FILENO) == 1 }

    func draw(_ text: String) {
        if isShown { Output.diagnostic("\r\u{1B}[K\(text)") }
    }

    /// Says on standard error, terminal or not, what the work waits for; empty: nothing.
    func waits(for others: String) {
        guard !others.isEmpty else { return }
        clear()
        Output.note("waiting for \(printable(others))")
    }

    /// Removes what was drawn.
    func clear() { draw("") }
}
