import Foundation
import LinajeArtifacts
import LinajeClient
import LinajeDomain
import Logging

@testable import LinajeCommands
@testable import LinajeServices

/// An open backup of this process: what its service has, without a wire in between.
private struct ServiceBackup: BackupSource {
    let service: BackupService
    let id: IngestID
    let files: [BackupFile]

    func read(_ file: BackupFile, piece: ([UInt8]) async throws -> Void) async throws {
        try await service.read(id, file.name, begin: { _ in }, piece: piece)
    }
}

/// Backups and restores whose system calls fail one after the other, both sides in one process.
///
/// The backup is in the folder `copy` of the store, so that one scope counts the calls of both.
extension FaultScenario {
    private static let silence = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let copy = "copy"
    private static let restored = "restored"

    /// A second backup, which takes the place of the first.
    static let backup = FaultScenario(
        name: "backup",
        prepare: { life in
            try begin(life)
            try await life.put([("kept", noise(1, 30_000))])
            let gone = try await life.put([("gone", noise(2, 30_000))])
            try await backUp(life, keep: 7)
            life.forget(gone)
            try await life.collect()
            try await life.collect()
            try await life.put([("new", noise(3, 30_000)), ("notes", text(1, 100))])
        },
        act: { try await backUp($0, keep: 1) },
        onlyReads: true,
        after: { life, hasFailed in
            let folder = "\(life.folder)/\(copy)"
            _ = try patiently { try BackupFolder(writing: folder) }
            var found = try findings(folder)
            let newest = try generations(folder).last?.number ?? 0
            if newest < (hasFailed ? 1 : 2) { found.append("the newest generation is \(newest)") }
            // The next one goes on, and has everything.
            try await backUp(life, keep: 2)
            found += try findings(folder)
            try restore(life.folder)
            let other = try await StoreLife("\(life.folder)/\(restored)", life.memory)
            found += await other.losses()
            found += try await other.check()
            await other.close()
            return found
        })

    /// The store is lost; it is made again from its backup.
    static let restore = FaultScenario(
        name: "restore",
        prepare: { life in
            try begin(life)
            try await life.put([("a", noise(1, 30_000)), ("notes", text(1, 100))])
            try await life.put([("weights", floats(2, 9_000))])
            try await backUp(life, keep: 7)
        },
        act: nil,
        alone: { try restore($0) },
        damage: { folder in
            let files = FileManager.default
            for name in try files.contentsOfDirectory(atPath: folder) where name != copy {
                try files.removeItem(atPath: "\(folder)/\(name)")
            }
        },
        settle: { folder, hasFailed in
            let files = FileManager.default
            let place = "\(folder)/\(restored)"
            if !files.fileExists(atPath: place) {
                guard hasFailed else { return ["what was restored is not there"] }
                try restore(folder)
            }
            return files.fileExists(atPath: "\(place).restoring") ? ["something is left"] : []
        },
        state: restored)

    // MARK: Parts

    /// What a state directory has beside the catalog and the packs.
    private static func begin(_ life: StoreLife) throws {
        try Data("linaje state 1\nlinajed 0\n".utf8).write(
            to: URL(fileURLWithPath: "\(life.folder)/format"))
    }

    private static func backUp(_ life: StoreLife, keep: Int) async throws {
        let service = BackupService(
            store: life.store,
            // There are no metrics here; a backup has a file of that name.
            databases: [("catalog.db", life.sql), ("metrics.db", life.sql)],
            stateDirectory: life.folder, logger: silence)
        let folder = try patiently { try BackupFolder(writing: "\(life.folder)/\(copy)") }
        let id = IngestID.random()
        let files = Shared<[BackupFile]>([])
        let result = Shared<Result<Void, any Error>?>(nil)
        try await service.open(
            id,
            report: { news in
                guard case .files(let some) = news else { return }
                files.with { $0 += some.map { BackupFile(name: $0.name, size: $0.size) } }
            },
            body: {
                let making = BackupMaking(
                    folder: folder,
                    backup: ServiceBackup(service: service, id: id, files: files.now),
                    agent: "test", keep: keep, acceptsDamage: false, step: { _ in })
                do {
                    _ = try await making.run()
                    result.with { $0 = .success(()) }
                } catch {
                    result.with { $0 = .failure(error) }
                }
            })
        try result.now?.get()
    }

    /// Opens the folder of a backup; the thread that worked last for another holds it a moment longer.
    private static func patiently(_ open: () throws -> BackupFolder) throws -> BackupFolder {
        for _ in 0..<500 {
            do {
                return try open()
            } catch let error as LinajeError where error.code == .alreadyRunning {
                usleep(10_000)
            }
        }
        return try open()
    }

    private static func restore(_ folder: String) throws {
        _ = try Restoring(
            folder: patiently { try BackupFolder(reading: "\(folder)/\(copy)") }, generation: nil,
            stateDirectory: "\(folder)/\(restored)", step: { _ in }
        ).run()
    }

    private static func generations(_ folder: String) throws -> [BackupFolder.Generation] {
        try patiently { try BackupFolder(reading: folder) }.generations()
    }

    /// What is wrong with a backup.
    private static func findings(_ folder: String) throws -> [String] {
        try BackupCheck(folder: patiently { try BackupFolder(reading: folder) }, step: { _ in })
            .run()
            .findings.map { "\($0.object) of the backup: \($0.finding)" }
    }
}
