import LinajeDomain
import LinajeHost
import LinajeServices
import Logging
import NIOPosix
import TOMLKit

/// Reads the configuration again while the daemon runs (SIGHUP): all that can change does so at
/// once, what cannot is named. A file that is not good changes nothing.
actor ConfigurationReload {
    private let source: ConfigurationSource
    /// What the daemon runs with: the file of the start, with what was reloaded since.
    private var running: DaemonConfiguration
    private let access: AccessControl
    private let log: DaemonLog
    private let line: StatusLine
    private let notification: ServiceNotification
    private let logger: Logger

    init(
        source: ConfigurationSource, running: DaemonConfiguration, access: AccessControl,
        log: DaemonLog, line: StatusLine, notification: ServiceNotification, logger: Logger
    ) {
        self.source = source
        self.running = running
        self.access = access
        self.log = log
        self.line = line
        self.notification = notification
        self.logger = logger
    }

    func reload() async {
        notification.reloading()
        do {
            // Off the pool that tasks share: the file and the user database are read.
            let (configuration, settings) = try await NIOThreadPool.singleton.runIfActive {
                [source] in try source.load()
            }
            apply(configuration, settings)
            line.note(nil)
        } catch {
            let reason = (error as? LinajeError)?.message ?? "\(error)"
            logger.error("configuration not reloaded, nothing has changed: \(reason)")
            line.note("configuration not reloaded: \(reason)")
        }
        notification.ready(line.next())
    }

    private func apply(_ configuration: DaemonConfiguration, _ settings: DaemonSettings) {
        let changed = configuration.differences(from: running)
        access.replace(settings.access)
        log.level = settings.logLevel
        running.access = configuration.access
        running.daemon.log_level = configuration.daemon.log_level
        let applied = changed.filter(DaemonConfiguration.isReloadable)
        let kept = changed.filter { !DaemonConfiguration.isReloadable($0) }
        let names = applied.joined(separator: ", ")
        logger.notice(
            "configuration reloaded: \(names.isEmpty ? "nothing has changed" : names)")
        guard !kept.isEmpty else { return }
        logger.warning(
            "restart linajed for the new value of: \(kept.joined(separator: ", "))",
            metadata: ["keys": "\(kept.joined(separator: ","))"])
    }
}

extension DaemonConfiguration {
    /// Whether SIGHUP is enough for a change of `key` ("section.name").
    static func isReloadable(_ key: String) -> Bool {
        key == "daemon.log_level" || key.hasPrefix("access.")
    }

    /// The keys ("section.name", in order) whose values differ. It looks at what is encoded, so that
    /// a key added later is not forgotten here.
    func differences(from other: DaemonConfiguration) -> [String] {
        let (mine, others) = (flattened, other.flattened)
        return Set(mine.keys).union(others.keys).filter { mine[$0] != others[$0] }.sorted()
    }

    private var flattened: [String: String] {
        guard let table: TOMLTable = try? TOMLEncoder().encode(self) else { return [:] }
        var values: [String: String] = [:]
        for section in table.keys {
            guard let keys = table[section]?.table else { continue }
            for key in keys.keys {
                values["\(section).\(key)"] = keys[key]?.debugDescription ?? ""
            }
        }
        return values
    }
}
