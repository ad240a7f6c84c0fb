import FilesystemStorage
import LinajePluginKit
import SQLiteBackend

/// The storage plugins in the box: the one place of the daemon that knows them.
enum BuiltinStorage {
    /// - Parameter keepingTemporaryFiles: whether packs that a killed daemon had on their way stay.
    static func artifacts(
        stateDirectory: String, keepingTemporaryFiles: Bool = false
    ) -> any ArtifactBackend {
        FilesystemStorage(root: stateDirectory, keepsTemporaryFiles: keepingTemporaryFiles)
    }

    static func catalog(stateDirectory: String) throws -> any SQLBackend {
        try SQLiteBackend(path: stateDirectory + "/catalog.db")
    }

    static func metrics(stateDirectory: String) throws -> any SQLBackend {
        try SQLiteBackend(path: stateDirectory + "/metrics.db")
    }
}
