import LinajeArtifacts
package import LinajeDomain
import LinajeHost
package import LinajePluginKit
package import Logging

/// The plugins of the daemon that run in processes of their own: as a flavor, those in the box, and
/// after them the flavors of the plugin directories that are enabled, by name; and the storage plugins
/// of these directories, which remotes are opened with.
package actor InstalledPlugins: ModelFlavor {
    package struct Configuration: Sendable {
        /// Where plugins are looked for: each in a folder of its own.
        package var directories: [String]
        /// `linaje-flavor-host`: the flavors in the box, and the launcher that locks plugins up.
        /// `nil`: models are not examined.
        package var host: String?
        /// Longest description of one model.
        package var timeout: Duration
        /// Address space of a plugin in bytes.
        package var memory: UInt64

        package init(
            directories: [String], host: String?, timeout: Duration, memory: UInt64 = 1 << 30
        ) {
            self.directories = directories
            self.host = host
            self.timeout = timeout
            self.memory = memory
        }
    }

    private struct Plugin: Sendable {
        var folder: PluginFolder
        var digest: SHA256Digest?
        var pool: FlavorPool?
        var flavors: [String] = []

        /// Compares the program with its pin, and finds out what this version does not run. Blocks.
        init(_ folder: PluginFolder) {
            self.folder = folder
            guard let manifest = folder.manifest, let program = folder.executable else { return }
            var hasher = ContentHasher()
            if SmallFile.pieces(of: program, { hasher.update($0) }) { digest = hasher.digest }
            guard folder.problem == nil else { return }
            if let pin = manifest.sha256, digest != pin {
                let found = digest.map { "\($0)" } ?? "unreadable"
                self.folder.problem = LinajeError(
                    .corrupt,
                    "plugin \(folder.path): \(manifest.executable) has SHA-256 \(found), and its "
                        + "manifest wants \(pin); install it again")
            } else if manifest.descriptor.kind == .sqlBackend {
                self.folder.problem = LinajeError(
                    .versionUnsupported,
                    "plugin \(folder.path) is of kind \"\(manifest.descriptor.kind.rawValue)\"; only "
                        + "model flavors and artifact backends are loaded by this version")
            }
        }
    }

    package nonisolated let descriptor = PluginDescriptor(
        name: "flavors", kind: .modelFlavor, version: "1")
    private let configuration: Configuration
    private let builtin: FlavorPool?
    private let logger: Logger
    /// Where plugin directories are read.
    private let pool = WorkerPool(label: "linaje.plugins", width: 1)
    private var refreshing: Task<Void, any Error>?
    private var plugins: [Plugin] = []
    private var disabled: [DisabledPlugin] = []
    private var builtinFlavors: [String] = []

    package init(_ configuration: Configuration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        let timeout = configuration.timeout
        builtin = configuration.host.map { host in
            let name = host.split(separator: "/").last.map(String.init) ?? host
            return FlavorPool(
                PluginDescriptor(
                    name: name, kind: .modelFlavor, version: LinajeVersion.current)
            ) {
                PluginProcess(
                    executable: host, configuration: PluginProcessConfiguration(deadline: timeout))
            }
        }
    }

    /// The flavors in the box; `nil`: there are none.
    package nonisolated var builtinDescriptor: PluginDescriptor? { builtin?.descriptor }

    // MARK: Models

    package func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await describeIfRecognized(source) != nil
    }

    /// - Throws: as `PluginProcess.describe` when the flavors in the box fail, whatever plugins say: a
    ///   model that ends the scan must not pass for one that was scanned. A plugin that fails is a finding.
    package func describe(_ source: any ModelSource) async throws -> ModelDescription {
        guard let builtin else { return ModelDescription() }
        var whole = try await builtin.describe(source)
        let pools = plugins.compactMap(\.pool)
        guard !pools.isEmpty else { return whole }
        whole.merge(try await CompositeFlavor(pools).describe(source))
        return whole.bounded()
    }

    // MARK: Plugins

    /// Looks at the plugin directories anew, starts to use what is there and enabled, and stops to use
    /// what is not, has changed or is disabled.
    ///
    /// - Parameter disabled: tells which plugins are disabled; asked in the order of the calls.
    package func refresh(
        disabled: @Sendable @escaping () async throws -> [DisabledPlugin]
    ) async throws {
        let before = refreshing
        // Unstructured so that one follows the other: the last to be asked is the last to decide.
        let task = Task {
            _ = await before?.result
            let directories = configuration.directories
            let found = try await pool.run { PluginFolder.all(in: directories).map(Plugin.init) }
            await apply(found, disabled: try await disabled())
        }
        refreshing = task
        try await task.value
    }

    private func apply(_ found: [Plugin], disabled: [DisabledPlugin]) async {
        self.disabled = disabled
        let before = plugins
        plugins = found.map { found in
            var plugin = found
            guard plugin.folder.problem == nil, disabling(plugin) == nil,
                plugin.folder.manifest?.descriptor.kind == .modelFlavor
            else { return plugin }
            let known = before.first { $0.folder.path == plugin.folder.path }
            if let known, let pool = known.pool, known.digest == plugin.digest,
                known.folder.manifest == plugin.folder.manifest
            {
                plugin.pool = pool
                plugin.flavors = known.flavors
            } else {
                plugin.pool = makePool(plugin.folder)
            }
            return plugin
        }
        for plugin in plugins {
            guard let problem = plugin.folder.problem,
                !before.contains(where: { $0.folder.problem == problem })
            else { continue }
            logger.warning("\(problem.message)")
        }
        for pool in before.compactMap(\.pool) where !plugins.contains(where: { $0.pool === pool }) {
            await pool.shutdown()
        }
    }

    /// Starts a plugin unless it runs, so that it says which flavors it has.
    ///
    /// - Throws: `pluginFailed`.
    package func start(_ name: String, kind: String) async throws {
        if let builtin, builtin.descriptor.name == name {
            builtinFlavors = try await builtin.start()
            return
        }
        guard let place = place(name, kind: kind), let pool = plugins[place].pool else { return }
        let flavors = try await pool.start()
        // It may have been refreshed meanwhile.
        guard let place = self.place(name, kind: kind) else { return }
        plugins[place].flavors = flavors
    }

    /// All plugins that are no part of the daemon itself.
    package func reports() async -> [PluginReport] {
        var out: [PluginReport] = []
        if let builtin {
            var report = PluginReport(
                name: builtin.descriptor.name,
                kind: PluginDescriptor.Kind.modelFlavor.rawValue, version: LinajeVersion.current,
                summary: "the flavors in the box", flavors: builtinFlavors)
            report.add(await builtin.statistics)
            out.append(report)
        }
        for plugin in plugins {
            var report = report(of: plugin)
            if let pool = plugin.pool { report.add(await pool.statistics) }
            out.append(report)
        }
        return out
    }

    /// Ends all processes.
    package func shutdown() async {
        await builtin?.shutdown()
        for pool in plugins.compactMap(\.pool) { await pool.shutdown() }
    }

    // MARK: Storage

    /// Opens a store that a storage plugin keeps; asks it for nothing yet.
    ///
    /// - Parameter address: one of scheme `plugin`.
    /// - Throws: `notFound` when there is no such plugin; `failedPrecondition` when it is disabled or no
    ///   plugin can be locked up; what is wrong with it.
    package func backend(_ address: RemoteAddress) throws -> any ArtifactBackend {
        let name = address.bucket
        guard let place = place(name, kind: PluginDescriptor.Kind.artifactBackend.rawValue),
            let manifest = plugins[place].folder.manifest,
            let program = plugins[place].folder.executable
        else {
            throw LinajeError(
                .notFound,
                "no storage plugin is called \"\(name.prefix(80))\"; linaje plugin list shows all "
                    + "there are")
        }
        if let problem = plugins[place].folder.problem { throw problem }
        guard disabling(plugins[place]) == nil else {
            throw LinajeError(
                .failedPrecondition,
                "storage plugin \"\(name)\" is disabled; linaje plugin enable \(name) lets it be used"
            )
        }
        guard let host = configuration.host else {
            throw LinajeError(
                .failedPrecondition,
                "storage plugin \"\(name)\" cannot be locked up, as linaje-flavor-host is not there"
            )
        }
        return PluginBackend(
            program, of: manifest, by: host, memory: configuration.memory, place: address.path,
            options: address.options)
    }

    private func place(_ name: String, kind: String) -> Int? {
        plugins.firstIndex {
            $0.folder.name == name && $0.folder.manifest?.descriptor.kind.rawValue == kind
        }
    }

    private func disabling(_ plugin: Plugin) -> DisabledPlugin? {
        guard let descriptor = plugin.folder.manifest?.descriptor else { return nil }
        return disabled.first {
            $0.name == descriptor.name && $0.kind == descriptor.kind.rawValue
        }
    }

    private func makePool(_ folder: PluginFolder) -> FlavorPool? {
        guard let host = configuration.host, let manifest = folder.manifest,
            let program = folder.executable
        else { return nil }
        let (memory, timeout) = (configuration.memory, configuration.timeout)
        return FlavorPool(manifest.descriptor) {
            PluginProcess(
                confined: program, of: manifest, by: host, memory: memory,
                configuration: PluginProcessConfiguration(deadline: timeout))
        }
    }

    private func report(of plugin: Plugin) -> PluginReport {
        let manifest = plugin.folder.manifest
        let disabling = disabling(plugin)
        return PluginReport(
            name: plugin.folder.name, kind: manifest?.descriptor.kind.rawValue ?? "",
            version: manifest?.descriptor.version ?? "", summary: manifest?.summary ?? "",
            license: manifest?.license ?? "", url: manifest?.url ?? "", folder: plugin.folder.path,
            digest: plugin.digest, isPinned: manifest?.sha256 != nil,
            readable: manifest?.readable ?? [], isEnabled: disabling == nil,
            disabledBy: disabling?.principal ?? "", disabledAt: disabling?.at,
            problem: plugin.folder.problem?.message ?? "", flavors: plugin.flavors)
    }
}

extension PluginReport {
    fileprivate mutating func add(_ statistics: FlavorPool.Statistics) {
        calls = statistics.calls
        failures = statistics.failures
        lastFailure = statistics.lastFailure
        processes = statistics.processes
    }
}
