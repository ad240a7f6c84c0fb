import FilesystemStorage
import LinajePluginKit
import SQLiteBackend

/// The storage plugins in the box: the one place of the daemon that knows them.
enum BuiltinStorage {
    static func artifacts(stateDirectory: String) -> any ArtifactBackend {
        FilesystemStorage(root: stateDirectory)
    }

    static func catalog(stateDirectory: String) throws -> any SQLBackend {
        try SQLiteBackend(path: stateDirectory + "/catalog.db")
    }

    static func metrics(stateDirectory: String) throws -> any SQLBackend {
        try SQLiteBackend(path: stateDirectory + "/metrics.db")
    }
}
