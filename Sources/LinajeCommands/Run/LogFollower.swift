import LinajeClient
import LinajeDomain

/// Reads a log part by part, over restarts of the daemon: each byte once.
struct LogFollower {
    private let client: LinajeClient
    private let run: RunID
    private let streams: Set<LogStream>
    private let follows: Bool
    private var start: LogStart
    private var parts: LogReading.AsyncIterator?

    init(
        client: LinajeClient, run: RunID, start: LogStart, streams: Set<LogStream>, follows: Bool
    ) {
        self.client = client
        self.run = run
        self.start = start
        self.streams = streams
        self.follows = follows
    }

    /// The next part; `nil` at the end of the log or, when following, of the run.
    ///
    /// - Throws: when the daemon stays away for longer than the client is patient.
    mutating func next() async throws -> LogPart? {
        while true {
            do {
                if parts == nil { try await open() }
                let part = try await parts?.next()
                if let part { start = .offset(part.nextOffset) }
                return part
            } catch let error as LinajeError where error.code == .unavailable && parts != nil {
                // A restart; opening waits for the next daemon.
                parts = nil
            }
        }
    }

    private mutating func open() async throws {
        let reading = try await client.log(
            of: run, from: start, streams: streams.count == LogStream.allCases.count ? [] : streams,
            follow: follows)
        // A number of last lines is counted once, and not again after a restart.
        start = .offset(reading.offset)
        parts = reading.makeAsyncIterator()
    }
}
