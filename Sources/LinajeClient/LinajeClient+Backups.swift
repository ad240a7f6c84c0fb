import FoundationEssentials
import LinajeDomain
import LinajeTransport
import LinajeWire

/// A file of a backup.
public struct BackupFile: Sendable, Hashable {
    /// Its name in the state directory: "catalog.db", "packs/ab/abcd….pack".
    public var name: String
    public var size: UInt64

    public init(name: String, size: UInt64) {
        self.name = name
        self.size = size
    }
}

/// An open backup: its files can be read as long as somebody keeps it.
public final class OpenBackup: Sendable {
    /// Everything that it consists of.
    public let files: [BackupFile]
    private let id: [UInt8]
    /// Its end is the backup's.
    private let stream: ClientStream<Linaje_V1_BackupOpened>
    private let client: LinajeClient

    fileprivate init(
        files: [BackupFile], id: [UInt8], stream: ClientStream<Linaje_V1_BackupOpened>,
        client: LinajeClient
    ) {
        self.files = files
        self.id = id
        self.stream = stream
        self.client = client
    }

    /// Reads a file, whole.
    ///
    /// - Throws: `failedPrecondition` when the backup is over, because its connection broke;
    ///   `notFound`, `corrupt` for a pack that is not as the index says.
    public func read(_ file: BackupFile) async throws -> BackupFileReading {
        var request = Linaje_V1_ReadBackupFileRequest()
        request.backupID = Data(id)
        request.name = file.name
        let stream = try await client.connections.connection().open(
            Methods.readBackupFile, request)
        let size = try await stream.response().size
        guard size == file.size else {
            throw LinajeError(
                .badMessage, "\(file.name) was to have \(file.size) bytes and has \(size)")
        }
        return BackupFileReading(stream: stream)
    }

    /// Lets go of what is kept for it.
    public func end() { stream.cancel() }
}

/// The bytes of a file of a backup. One task reads it.
public struct BackupFileReading: Sendable, AsyncSequence {
    let stream: ClientStream<Linaje_V1_ReadBackupFileOpened>

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ClientStream<Linaje_V1_ReadBackupFileOpened>

        /// The next bytes; `nil` after the last.
        public mutating func next() async throws -> [UInt8]? { try await stream.next() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

extension LinajeClient {
    /// Opens a backup of all that the daemon has: waits until its databases are copied.
    ///
    /// - Parameter step: told what the daemon does meanwhile.
    /// - Throws: `permissionDenied` for anybody but an admin, `failedPrecondition` while another is
    ///   open, `storageFull` when the daemon has no room for a copy of its databases.
    public func openBackup(step: (String) -> Void) async throws -> OpenBackup {
        let stream = try await connections.connection().open(
            Methods.openBackup, Linaje_V1_OpenBackupRequest())
        let id = Array(try await stream.response().backupID)
        var files: [BackupFile] = []
        while let payload = try await stream.next() {
            let news = try Linaje_V1_BackupNews(payload: payload)
            files += news.files.map { BackupFile(name: $0.name, size: $0.size) }
            if !news.step.isEmpty { step(news.step) }
            if news.complete {
                return OpenBackup(files: files, id: id, stream: stream, client: self)
            }
        }
        throw LinajeError(.badMessage, "the daemon ended the backup before it began")
    }
}
