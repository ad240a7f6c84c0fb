import CSQLite
import LinajeArtifacts
import LinajeClient
import LinajeDomain

/// Reads everything of a backup and says what is not as it was written. Blocks.
struct BackupCheck {
    /// What is wrong with something.
    struct Finding: Sendable {
        var object: String
        var finding: String
    }

    /// What was looked at.
    struct Outcome: Sendable {
        var generations = 0
        var packs = 0
        var bytes: UInt64 = 0
        var findings: [Finding] = []
    }

    let folder: BackupFolder
    /// Told what it is at.
    let step: @Sendable (String) -> Void

    func run() throws -> Outcome {
        var outcome = Outcome()
        var packs: [PackName: UInt64] = [:]
        let generations = try folder.generations()
        guard !generations.isEmpty else { _ = try folder.generation(nil); return outcome }
        for generation in generations {
            outcome.generations += 1
            do {
                let manifest = try folder.manifest(of: generation)
                packs.merge(manifest.packs) { first, _ in first }
                try check(generation, manifest, &outcome)
            } catch let error as LinajeError {
                outcome.findings.append(
                    Finding(object: "generation \(generation.name)", finding: error.message))
            }
        }
        for (number, (pack, size)) in packs.sorted(by: { $0.key < $1.key }).enumerated() {
            step("pack \(number + 1) of \(packs.count), \(ByteCount(outcome.bytes)) read")
            outcome.packs += 1
            let path = PackFile.path(pack, in: folder.packs)
            do {
                guard let found = try Folders.size(path), found == size else {
                    throw LinajeError(.corrupt, "\(path) is gone or has another size")
                }
                try PackFile.check(path, is: pack)
                outcome.bytes += size
            } catch let error as LinajeError {
                outcome.findings.append(Finding(object: pack.key, finding: error.message))
            }
        }
        return outcome
    }

    private func check(
        _ generation: BackupFolder.Generation, _ manifest: BackupManifest,
        _ outcome: inout Outcome
    ) throws {
        for file in manifest.files {
            let path = "\(folder.path(of: generation))/\(file.name)"
            step("\(generation.name)/\(file.name)")
            let object = "\(generation.name)/\(file.name)"
            var hasher = ContentHasher()
            guard let size = try Folders.size(path), size == file.size else {
                outcome.findings.append(
                    Finding(object: object, finding: "it is gone or has another size"))
                continue
            }
            try FileInput(path).forEach { hasher.update($0) }
            outcome.bytes += size
            guard hasher.digest == file.sha256 else {
                outcome.findings.append(
                    Finding(object: object, finding: "its bytes do not match their digest"))
                continue
            }
            guard file.name.hasSuffix(".db") else { continue }
            for problem in try BackedUpDatabase.problems(path) {
                outcome.findings.append(Finding(object: object, finding: problem))
            }
            guard file.name == "catalog.db" else { continue }
            for pack in try BackedUpDatabase.packs(path)
            where manifest.packs[pack] == nil && !manifest.lost.contains(pack) {
                outcome.findings.append(
                    Finding(object: object, finding: "it names \(pack.key), which is not kept"))
            }
        }
    }
}

/// A database of a backup, which nobody changes: it is read without a lock and without a log.
private enum BackedUpDatabase {
    /// Most problems that are told of one.
    private static let maximumProblems = 20

    /// What is wrong with its structure.
    static func problems(_ path: String) throws -> [String] {
        var found: [String] = []
        try query(path, "PRAGMA quick_check(\(maximumProblems))") { statement in
            if let text = sqlite3_column_text(statement, 0) {
                let text = String(cString: text)
                if text != "ok" { found.append(text) }
            }
        }
        return found
    }

    /// The packs that its index of the artifacts names.
    static func packs(_ path: String) throws -> [PackName] {
        var found: [PackName] = []
        try query(path, "SELECT name FROM artifact_packs") { statement in
            let count = Int(sqlite3_column_bytes(statement, 0))
            let bytes = UnsafeRawBufferPointer(
                start: sqlite3_column_blob(statement, 0), count: count)
            if let digest = SHA256Digest(Array(bytes)) { found.append(PackName(digest)) }
        }
        return found
    }

    private static func query(
        _ path: String, _ sql: String, row: (OpaquePointer?) -> Void
    ) throws {
        let escaped = path.replacing("%", with: "%25").replacing("?", with: "%3f")
            .replacing("#", with: "%23")
        var handle: OpaquePointer?
        defer { sqlite3_close_v2(handle) }
        var statement: OpaquePointer?
        guard
            sqlite3_open_v2(
                "file:\(escaped)?immutable=1", &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, nil)
                == SQLITE_OK,
            sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK
        else { throw failure(handle, path) }
        defer { sqlite3_finalize(statement) }
        var code = sqlite3_step(statement)
        while code == SQLITE_ROW {
            row(statement)
            code = sqlite3_step(statement)
        }
        guard code == SQLITE_DONE else { throw failure(handle, path) }
    }

    private static func failure(_ handle: OpaquePointer?, _ path: String) -> LinajeError {
        LinajeError(
            .corrupt, "database \(path) cannot be read: \(String(cString: sqlite3_errmsg(handle)))")
    }
}
