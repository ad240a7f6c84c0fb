import Glibc
import Logging
import Synchronization

/// Where the daemon's log goes, and from which level on: one level for all loggers, which may change
/// while the daemon runs.
///
/// - The journal with its fields, when systemd has connected standard error to it.
/// - Standard error with "<n>" before each line (sd-daemon(3)), when the journal cannot be reached.
/// - Standard error with the time, otherwise.
///
/// A log that nobody takes never holds the daemon up: lines are dropped and counted instead.
final class DaemonLog: Sendable {
    private enum Destination: Sendable {
        case journal(JournalSocket)
        case prefixed
        case plain
    }

    private let destination: Destination
    private let threshold = Atomic<Int>(0)
    private let dropped = Atomic<Int>(0)

    init(level: Logger.Level, environment: [String: String]) {
        if JournalSocket.isStandardError(environment["JOURNAL_STREAM"]) {
            destination = JournalSocket().map(Destination.journal) ?? .prefixed
        } else {
            destination = .plain
        }
        self.level = level
    }

    /// The least level that is written.
    var level: Logger.Level {
        get { Logger.Level.allCases[threshold.load(ordering: .relaxed)] }
        set {
            let index = Logger.Level.allCases.firstIndex(of: newValue) ?? 0
            threshold.store(index, ordering: .relaxed)
        }
    }

    /// Writes an event.
    func write(_ event: LogEvent, label: String, metadata: Logger.Metadata) {
        guard deliver(event, label, metadata) else {
            dropped.add(1, ordering: .relaxed)
            return
        }
        let lost = dropped.exchange(0, ordering: .relaxed)
        guard lost > 0 else { return }
        let notice = LogEvent(
            level: .warning, message: "\(lost) log messages were dropped: nobody took them",
            metadata: nil, source: nil, file: #fileID, function: #function, line: #line)
        if !deliver(notice, label, [:]) { dropped.add(lost, ordering: .relaxed) }
    }

    private func deliver(
        _ event: LogEvent, _ label: String, _ metadata: Logger.Metadata
    ) -> Bool {
        switch destination {
        case .journal(let socket):
            let entry = JournalEntry(event, label: label, metadata: metadata)
            switch socket.send(entry) {
            case .sent: return true
            case .full: return false
            case .gone: return Self.line("<\(event.level.priority)>", event, metadata)
            }
        case .prefixed: return Self.line("<\(event.level.priority)>", event, metadata)
        case .plain:
            return Self.line("\(Self.now()) \(event.level) \(label): ", event, metadata)
        }
    }

    /// One line on standard error, short enough for a pipe to take it whole or not at all.
    private static func line(
        _ head: String, _ event: LogEvent, _ metadata: Logger.Metadata
    ) -> Bool {
        var text = head + event.message.description
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { text += " \(key)=\(value)" }
        if let error = event.error { text += " error=\(error)" }
        var bytes = Array(text.utf8.prefix(longestLine))
        for index in bytes.indices where bytes[index] == UInt8(ascii: "\n") {
            bytes[index] = UInt8(ascii: " ")
        }
        bytes.append(UInt8(ascii: "\n"))
        // One at a time: of two that found room for one the second would wait for a reader.
        return door.withLock { _ in
            var poller = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
            guard poll(&poller, 1, 0) == 1 else { return false }
            return Glibc.write(STDERR_FILENO, bytes, bytes.count) == bytes.count
        }
    }

    private static let door = Mutex(())

    private static let longestLine = 4_000

    /// "2026-11-24T15:04:12.123Z".
    private static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        var seconds = time.tv_sec
        gmtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%S", &parts)
        let milliseconds = String(1_000 + time.tv_nsec / 1_000_000).dropFirst()
        let head = String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(head).\(milliseconds)Z"
    }
}

/// Hands what a logger says to the daemon's log.
struct DaemonLogHandler: LogHandler {
    let log: DaemonLog
    let label: String
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(_ log: DaemonLog, label: String) {
        self.log = log
        self.label = label
    }

    /// The log's: one level for all, so that it can be changed while loggers are in use.
    var logLevel: Logger.Level {
        get { log.level }
        // swift-log asks for a setter; a single logger has no level of its own here.
        set {}
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadataProvider?.get() ?? [:]
        all.merge(metadata) { $1 }
        if let own = event.metadata { all.merge(own) { $1 } }
        log.write(event, label: label, metadata: all)
    }
}

extension Logger.Level {
    /// The level as syslog(3) numbers it.
    var priority: Int {
        switch self {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}
