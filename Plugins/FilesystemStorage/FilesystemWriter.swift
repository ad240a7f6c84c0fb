import Glibc
import LinajeDomain
import LinajePluginKit
import Synchronization

/// An object on its way: a temporary file that `commit` renames.
final class FilesystemWriter: ArtifactWriter {
    private enum State {
        case open(Int32)
        case failed(LinajeError)
        case committed
        case aborted
    }

    private let directory: StorageDirectory
    private let key: StorageKey
    private let temporaryPath: String
    private let state: Mutex<State>

    init(directory: StorageDirectory, key: StorageKey, temporaryPath: String, descriptor: Int32) {
        self.directory = directory
        self.key = key
        self.temporaryPath = temporaryPath
        self.state = Mutex(.open(descriptor))
    }

    deinit {
        guard case .open(let descriptor) = state.withLock({ $0 }) else { return }
        // Forgotten without commit or abort. Nobody waits here, so a thread of the storage does it.
        let path = temporaryPath
        directory.threads.submit {
            FileCalls.close(descriptor)
            FileCalls.unlink(path)
        }
    }

    func write(_ bytes: [UInt8]) async throws {
        try await directory.run { _ in
            try self.step { descriptor in
                try FileCalls.write(descriptor, bytes, path: self.temporaryPath)
                return .open(descriptor)
            }
        }
    }

    func commit() async throws {
        try await directory.run { directory in
            try self.step { descriptor in
                try directory.refuseAfterFailure()
                try directory.sync {
                    try FileCalls.sync(descriptor, path: self.temporaryPath)
                }
                try directory.makeFolders(self.key)
                let path = directory.path(self.key)
                try FileCalls.rename(self.temporaryPath, to: path)
                let folder = self.key.folders.last.map { "\(directory.root)/\($0)" }
                try directory.sync { try FileCalls.syncFolder(folder ?? directory.root) }
                FileCalls.close(descriptor)
                return .committed
            }
        }
    }

    func abort() async {
        // Cannot fail in a way that matters: what is left is removed at the next start.
        try? await directory.run { _ in
            try self.step { descriptor in
                FileCalls.close(descriptor)
                FileCalls.unlink(self.temporaryPath)
                return .aborted
            }
        }
    }

    /// Does one step with the open file. An error ends the writer: its file is removed, and every
    /// later step throws the same.
    private func step(_ body: (Int32) throws -> State) throws {
        try state.withLock { state in
            switch state {
            case .failed(let error): throw error
            case .committed, .aborted:
                throw LinajeError(
                    .failedPrecondition, "object \(key.text) is written already; put it again")
            case .open(let descriptor):
                do {
                    state = try directory.writing { try body(descriptor) }
                } catch {
                    FileCalls.close(descriptor)
                    FileCalls.unlink(temporaryPath)
                    let failure =
                        error as? LinajeError ?? FileCalls.error("write", temporaryPath, EIO)
                    state = .failed(failure)
                    throw failure
                }
            }
        }
    }
}
