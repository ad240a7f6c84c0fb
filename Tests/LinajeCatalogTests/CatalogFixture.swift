import Foundation
import LinajeCatalog
import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Synchronization
import Testing

/// A catalog on a real SQLite file in a folder of its own, with a clock that tests move.
final class CatalogFixture: Sendable {
    let path: String
    let clock = ManualClock()
    let backend: SQLiteBackend
    let store: CatalogStore

    static let alice = Principal(name: "uid:1000", role: .admin)
    static let bob = Principal(name: "uid:1001", role: .writer)

    private init(path: String) throws {
        self.path = path
        backend = try SQLiteBackend(path: path)
        store = CatalogStore(backend: backend, clock: clock)
    }

    /// Runs a test on a fresh catalog, which is removed afterwards.
    static func with(_ body: (CatalogFixture) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("linaje-catalog-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let fixture = try CatalogFixture(path: folder.appendingPathComponent("catalog.db").path)
        try await fixture.store.prepare()
        do {
            try await body(fixture)
        } catch {
            try? await fixture.backend.close()
            throw error
        }
        try await fixture.backend.close()
    }

    /// A change without an idempotency key.
    @discardableResult
    func change<R: Sendable>(
        by principal: Principal = alice,
        _ body: @Sendable @escaping (CatalogTransaction) throws -> R
    ) async throws -> R {
        try await store.change(.untracked(by: principal), body)
    }

    func read<R: Sendable>(
        _ body: @Sendable @escaping (CatalogReader) throws -> R
    ) async throws -> R {
        try await store.read(body)
    }

    /// Changes the database behind the catalog's back; says how many rows.
    @discardableResult
    func sql(_ sql: String, _ arguments: [SQLValue] = []) async throws -> Int {
        try await backend.write { try $0.execute(sql, arguments) }
    }

    /// How many rows a table has.
    func count(_ table: String) async throws -> Int64? {
        try await backend.read { connection in
            try connection.first("SELECT COUNT(*) FROM \(table)") { try $0.int(0) }
        }
    }

    /// A registered model with versions 1 to `count`.
    func model(_ name: String, versions count: Int = 1) async throws {
        try await change { catalog in
            for number in 1...count {
                _ = try catalog.createModelVersion(
                    NewVersion(
                        name: name, createModel: true, tree: .of(number), size: 10,
                        source: "tree:sha256:\(SHA256Digest.of(number))"))
            }
        }
    }

    /// Operations of all events, with versions: "version.create 1".
    func operations(model: String? = nil, version: UInt64? = nil) async throws -> [String] {
        let page = try Page(limit: 1_000)
        let events = try await read {
            try $0.events(EventQuery(model: model, version: version, page: page))
        }
        return try events.elements.map { event in
            let facts = try JSONDecoder().decode(EventFacts.self, from: Data(event.canonical))
            return facts.version.map { "\(facts.op) \($0)" } ?? facts.op
        }
    }
}

/// The facts of an event that tests look at.
struct EventFacts: Decodable {
    var op: String
    var model: String
    var version: Int?
    var from: Fact?
    var to: String?
    var comment: String?
    var principal: String
    var door: String
    var at: Int64

    /// A stage, or the number of a version.
    enum Fact: Decodable, Equatable {
        case text(String)
        case number(Int)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int.self) {
                self = .number(number)
            } else {
                self = .text(try container.decode(String.self))
            }
        }
    }
}

/// A clock that stands until a test moves it.
final class ManualClock: WallClock {
    private let time = Mutex(Timestamp(microseconds: 1_700_000_000_000_000))

    func now() -> Timestamp { time.withLock { $0 } }

    func advance(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        time.withLock {
            $0.microseconds += seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        }
    }
}

extension SHA256Digest {
    /// A digest that differs for each number.
    static func of(_ number: Int) -> SHA256Digest {
        var bytes = [UInt8](repeating: 0xaa, count: 32)
        bytes[30] = UInt8(truncatingIfNeeded: number >> 8)
        bytes[31] = UInt8(truncatingIfNeeded: number)
        guard let digest = SHA256Digest(bytes) else { preconditionFailure("32 bytes") }
        return digest
    }
}

extension RunID {
    /// An id that differs for each number.
    static func of(_ number: UInt64) -> RunID { RunID(bytes: Bytes16(high: 7, low: number)) }
}

extension LoggedModelID {
    /// An id that differs for each number.
    static func of(_ number: UInt64) -> LoggedModelID {
        LoggedModelID(bytes: Bytes16(high: 9, low: number))
    }
}

/// Expects an error with this code, whose message holds all of `words`.
func expectError(
    _ code: LinajeError.Code, _ words: String..., location: SourceLocation = #_sourceLocation,
    _ body: () async throws -> Void
) async {
    do {
        try await body()
        Issue.record("no error; \(code.name) was expected", sourceLocation: location)
    } catch let error as LinajeError {
        #expect(error.code == code, "\(error)", sourceLocation: location)
        for word in words {
            #expect(error.message.contains(word), "\(error)", sourceLocation: location)
        }
    } catch {
        Issue.record("\(error) is no LinajeError", sourceLocation: location)
    }
}
