import LinajeClient
import LinajeDomain

/// What the daemon does not have before the bytes that it is sent, and nobody has any more: its state
/// is older than it was, or a kept log is damaged. The log then shows where they are missing.
struct LogGap {
    /// How far the daemon knows the writer.
    let known: UInt64
    /// Where the bytes at hand begin.
    let offset: UInt64

    /// `nil` unless the error of an append says that there is one.
    init?(_ error: LinajeError, before offset: UInt64) {
        guard error.code == .failedPrecondition,
            let known = error.details["durable_offset"].flatMap({ UInt64($0) }), known < offset
        else { return nil }
        self.known = known
        self.offset = offset
    }

    /// Tells the daemon of it.
    func tell(_ client: LinajeClient, _ run: RunID, _ writer: WriterID) async throws {
        let gap = LogRecord(time: SystemClock().now(), .missing(offset - known))
        _ = try await client.appendLog(of: run, writer: writer, offset: known, [gap])
    }
}
