import LinajeDomain

/// Where the configuration comes from, so that it can be read again: the file, with the options of
/// the command line and the environment, which stay what they were.
struct ConfigurationSource: Sendable {
    /// `--config`; `nil`: the first of the usual places that exists, looked for each time.
    var path: String?
    var stateDirectory: String?
    var socket: String?
    var logLevel: String?
    var environment: [String: String]
    /// This program's own path.
    var program: String

    /// What the file says, and what is to be used.
    ///
    /// - Throws: an error naming the file and what is wrong with it.
    func load() throws -> (configuration: DaemonConfiguration, settings: DaemonSettings) {
        let configuration = try DaemonConfiguration.load(path, environment: environment)
        let settings = try DaemonSettings(
            configuration, stateDirectory: stateDirectory, socket: socket, logLevel: logLevel,
            environment: environment, program: program)
        return (configuration, settings)
    }
}
