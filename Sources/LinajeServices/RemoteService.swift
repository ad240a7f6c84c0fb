import LinajeArtifacts
package import LinajeCatalog
package import LinajeDomain
package import LinajePluginKit

/// Stores of packs beside the daemon's own, and what is exchanged with them.
package struct RemoteService: Sendable {
    /// Remotes of the daemon's configuration, and how any remote is reached.
    package struct Configuration: Sendable {
        /// Name to address.
        package var remotes: [String: String]
        /// Opens a store; asks it for nothing yet.
        package var open: @Sendable (RemoteAddress) async throws -> any ArtifactBackend

        package init(
            remotes: [String: String],
            open: @Sendable @escaping (RemoteAddress) async throws -> any ArtifactBackend
        ) {
            self.remotes = remotes
            self.open = open
        }
    }

    private let catalog: CatalogStore
    private let store: ArtifactStore
    private let configuration: Configuration

    init(catalog: CatalogStore, store: ArtifactStore, configuration: Configuration) {
        self.catalog = catalog
        self.store = store
        self.configuration = configuration
    }

    /// All remotes, by name; one of the configuration stands for an added one of its name.
    package func remotes() async throws -> [Remote] {
        let configured = configuration.remotes.map {
            Remote(name: $0.key, address: $0.value, isConfigured: true)
        }
        let added = try await catalog.read { try $0.remotes() }
        let all = configured + added.filter { configuration.remotes[$0.name] == nil }
        return all.sorted { $0.name < $1.name }
    }

    /// Adds a remote.
    ///
    /// - Throws: `invalidArgument` for a name or address that is none; `permissionDenied` for a
    ///   folder of this machine: those stand in the configuration, paths never come from clients.
    package func add(
        _ name: String, _ address: String, _ change: Change<Void>
    ) async throws {
        let address = try RemoteAddress(parsing: address)
        guard address.scheme != .file else {
            throw LinajeError(
                .permissionDenied,
                "remote \"\(name.prefix(80))\" is a folder; write it to [artifacts.remotes] of linaje.toml"
            )
        }
        try requireNotConfigured(name)
        try await configuration.open(address).close()
        try await catalog.change(change) { try $0.addRemote(name, address) }
    }

    /// Forgets a remote.
    package func remove(_ name: String, _ change: Change<Void>) async throws {
        try requireNotConfigured(name)
        try await catalog.change(change) { try $0.removeRemote(name) }
    }

    /// Compares with a remote and copies what one lacks; see `ArtifactStore.exchange`.
    ///
    /// - Throws: `notFound` for a remote that is not known.
    package func exchange(
        _ action: RemoteAction, with name: String, readingData: Bool,
        report: (RemoteProgress) async throws -> Void
    ) async throws {
        guard let remote = try await remotes().first(where: { $0.name == name }) else {
            throw LinajeError(
                .notFound,
                "remote \"\(name.prefix(80))\" is not known; see linaje remote list, or add it")
        }
        let backend = try await configuration.open(try RemoteAddress(parsing: remote.address))
        do {
            try await store.exchange(
                action, with: backend, readingData: readingData, report: report)
        } catch {
            await backend.close()
            throw error
        }
        await backend.close()
    }

    private func requireNotConfigured(_ name: String) throws {
        guard configuration.remotes[name] != nil else { return }
        throw LinajeError(
            .failedPrecondition,
            "remote \"\(name)\" stands in [artifacts.remotes] of the daemon's configuration; change it there"
        )
    }
}
