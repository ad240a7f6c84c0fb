import CSQLite
import Glibc
import LinajeDomain

/// What the disk and SQLite can do by themselves in a directory: what the daemon is measured by.
enum DiskBaseline {
    /// How long 8 KiB appended by pwrite and made durable by fdatasync take, many times over: what a
    /// log that grows costs. Writing over what is there already would be cheaper, but no log begins
    /// with its size.
    static func fdatasync(in directory: String, rounds: Int) throws -> Latencies {
        let path = temporary(directory)
        let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure("created", path) }
        defer {
            close(file)
            unlink(path)
        }
        let block = [UInt8](repeating: 0xA5, count: 8_192)
        var latencies = Latencies()
        for round in 0..<rounds {
            let start = ContinuousClock.now
            try write(block, file, at: round * block.count, path)
            guard Glibc.fdatasync(file) == 0 else { throw failure("synced", path) }
            latencies.record(ContinuousClock.now - start)
        }
        return latencies
    }

    /// Points a second that a bare SQLite program makes durable: blobs as large as segments of
    /// `batch` points, `agents` of them in each commit, WAL with synchronous=FULL.
    static func sqlitePoints(
        in directory: String, agents: Int, batch: Int, points: Int
    ) throws -> Double {
        let path = temporary(directory)
        let database = try BareDatabase(path)
        defer {
            database.close()
            for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
        }
        try database.run(
            """
            PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
            CREATE TABLE segments (id INTEGER PRIMARY KEY, run INTEGER, data BLOB);
            """)
        // A segment of the bench's points: 60 bytes of header, steps in 2, times in 4 and values
        // in 8 bytes a point (STORAGE.md, "Metric segments").
        let blob = [UInt8](unsafeUninitializedCapacity: 60 + batch * 14) { buffer, count in
            var generator = SystemRandomNumberGenerator()
            for index in buffer.indices {
                buffer[index] = UInt8.random(in: 0...255, using: &generator)
            }
            count = buffer.count
        }
        let commits = max(1, points / (agents * batch))
        let start = ContinuousClock.now
        for _ in 0..<commits {
            try database.run("BEGIN IMMEDIATE")
            for agent in 0..<agents { try database.insert(run: agent, blob) }
            try database.run("COMMIT")
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        return Double(commits * agents * batch) / seconds
    }

    static func temporary(_ directory: String) -> String {
        let name = "bench-\(Hex.encode(IngestID.random().array)).tmp"
        return directory.hasSuffix("/") ? directory + name : directory + "/" + name
    }

    private static func write(
        _ block: [UInt8], _ file: Int32, at offset: Int, _ path: String
    ) throws {
        guard pwrite(file, block, block.count, off_t(offset)) == block.count else {
            throw failure("written", path)
        }
    }

    static func failure(_ doing: String, _ path: String) -> LinajeError {
        LinajeError(
            .failedPrecondition,
            "\(path) cannot be \(doing): \(String(cString: strerror(errno))); name another folder "
                + "of the same disk with --directory")
    }
}

/// SQLite without anything around it. Used by one thread.
private final class BareDatabase {
    private var handle: OpaquePointer?
    private var statement: OpaquePointer?

    init(_ path: String) throws {
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
        guard sqlite3_open_v2(path, &handle, flags, nil) == SQLITE_OK else {
            defer { close() }
            throw failure("opened")
        }
    }

    func run(_ sql: String) throws {
        guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else {
            throw failure("written")
        }
    }

    func insert(run: Int, _ blob: [UInt8]) throws {
        if statement == nil {
            let sql = "INSERT INTO segments (run, data) VALUES (?1, ?2)"
            guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK else {
                throw failure("prepared")
            }
        }
        // The blob outlives the step, so SQLite need not copy it.
        let result = blob.withUnsafeBytes { bytes in
            sqlite3_bind_int64(statement, 1, Int64(run))
            sqlite3_bind_blob(statement, 2, bytes.baseAddress, Int32(bytes.count), nil)
            return sqlite3_step(statement)
        }
        sqlite3_reset(statement)
        guard result == SQLITE_DONE else { throw failure("written") }
    }

    func close() {
        sqlite3_finalize(statement)
        sqlite3_close_v2(handle)
        statement = nil
        handle = nil
    }

    private func failure(_ doing: String) -> LinajeError {
        let reason = sqlite3_errmsg(handle).map { String(cString: $0) } ?? "no memory"
        return LinajeError(
            .failedPrecondition, "the bare SQLite database cannot be \(doing): \(reason)")
    }
}
