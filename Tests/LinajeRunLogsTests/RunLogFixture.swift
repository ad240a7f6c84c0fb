import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Logging
import SQLiteBackend
import Synchronization

@testable import LinajeRunLogs

/// SplitMix64: the same numbers for the same seed everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

let quietLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// Opens a store on real files, without its background work, so that a test decides what happens when.
@discardableResult
func withLogs<Value: Sendable>(
    _ path: String, limit: UInt64 = Limits.logBytes,
    decorate: (any SQLBackend) -> any SQLBackend = { $0 },
    _ body: (RunLogStore) async throws -> Value
) async throws -> Value {
    let sqlite = try SQLiteBackend(path: path)
    let store = RunLogStore(backend: decorate(sqlite), limit: limit, logger: quietLogger)
    try await store.prepare()
    do {
        let value = try await body(store)
        try await sqlite.close()
        return value
    } catch {
        try await sqlite.close()
        throw error
    }
}

extension LogRecord {
    static func out(_ text: String, at time: Int64 = 1) -> LogRecord {
        LogRecord(time: Timestamp(microseconds: time), .bytes(.stdout, Array(text.utf8)))
    }

    static func err(_ text: String, at time: Int64 = 1) -> LogRecord {
        LogRecord(time: Timestamp(microseconds: time), .bytes(.stderr, Array(text.utf8)))
    }

    static func missing(_ count: UInt64) -> LogRecord {
        LogRecord(time: Timestamp(microseconds: 0), .missing(count))
    }
}

extension RunLogStore {
    /// Everything from an offset on.
    func all(
        _ run: RunID, from start: UInt64 = 0, streams: Set<LogStream> = []
    ) async throws -> [PlacedLogRecord] {
        var out: [PlacedLogRecord] = []
        var place = start
        while true {
            let (records, next) = try await read(run, from: place, streams: streams)
            guard next > place else { return out }
            out += records
            place = next
        }
    }

    /// The bytes as text, each gap as "[n]".
    func text(
        _ run: RunID, from start: UInt64 = 0, streams: Set<LogStream> = []
    ) async throws -> String {
        try await all(run, from: start, streams: streams).reduce(into: "") { text, placed in
            switch placed.record.content {
            case .bytes(_, let bytes): text += String(decoding: bytes, as: UTF8.self)
            case .missing(let count): text += "[\(count)]"
            }
        }
    }
}

/// A backend that fails the writes that a test names.
final class FailingBackend: ForwardingSQLBackend {
    let inner: any SQLBackend
    /// What the next write does: an error, and whether it is committed all the same.
    private let next = Mutex<(error: LinajeError, commits: Bool)?>(nil)

    init(_ inner: any SQLBackend) { self.inner = inner }

    func failNext(_ error: LinajeError, commits: Bool) {
        next.withLock { $0 = (error, commits) }
    }

    func write<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        let failure = next.withLock { next in
            defer { next = nil }
            return next
        }
        guard let failure else { return try await inner.write(body) }
        if failure.commits {
            _ = try await inner.write(body)
            throw failure.error
        }
        return try await inner.write { connection in
            _ = try body(connection)
            throw failure.error
        }
    }
}

/// A backend before whose first write something else happens.
final class InterruptedBackend: ForwardingSQLBackend {
    let inner: any SQLBackend
    private let interruption: Mutex<(@Sendable () async throws -> Void)?>

    init(_ inner: any SQLBackend, _ interruption: @escaping @Sendable () async throws -> Void) {
        self.inner = inner
        self.interruption = Mutex(interruption)
    }

    var wasInterrupted: Bool { interruption.withLock { $0 == nil } }

    func write<Value: Sendable>(
        _ body: @Sendable @escaping (any SQLConnection) throws -> Value
    ) async throws -> Value {
        try await interruption.withLock { $0.take() }?()
        return try await inner.write(body)
    }
}
