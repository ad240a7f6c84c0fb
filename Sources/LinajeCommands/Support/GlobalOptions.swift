import ArgumentParser
import FoundationEssentials
import LinajeClient
import LinajeDomain
import LinajeTransport

/// What every command takes.
struct GlobalOptions: ParsableArguments {
    @Option(help: "The daemon's socket.", completion: .file())
    var socket: String?

    @Flag(help: "Print JSON for programs instead of text for people.")
    var json = false

    @Flag(name: .customLong("no-color"), help: "Print without colours, as does NO_COLOR.")
    var noColor = false

    /// Connects to the daemon.
    ///
    /// - Parameters:
    ///   - patience: how long calls wait for a daemon that is being restarted.
    ///   - uploadMemory: where it is remembered which files were uploaded; `nil`: nowhere.
    ///   - downloadMemory: the same of downloads.
    func connect(
        patience: Duration = .seconds(60), uploadMemory: String? = nil,
        downloadMemory: String? = nil
    ) async throws -> LinajeClient {
        try await LinajeClient.connect(
            to: socket,
            configuration: ClientConfiguration(
                agent: Self.agent, patience: patience, uploadMemory: uploadMemory,
                downloadMemory: downloadMemory))
    }

    /// `$XDG_CACHE_HOME/linaje/uploads`, `~/.cache/linaje/uploads` where that is unset; `nil` for a user
    /// without a home.
    static var uploadMemory: String? { cache("uploads") }

    /// `$XDG_CACHE_HOME/linaje/downloads`, as that of uploads.
    static var downloadMemory: String? { cache("downloads") }

    /// A folder of this program's in the user's cache; `nil` for a user without a home.
    static func cache(_ name: String) -> String? {
        let environment = ProcessInfo.processInfo.environment
        if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") {
            return "\(cache)/linaje/\(name)"
        }
        guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
        return "\(home)/.cache/linaje/\(name)"
    }

    /// What the daemon is told that this program is.
    static let agent = "linaje/\(LinajeProgram.version)"

    /// Where the daemon's socket is.
    func daemonSocket() throws -> String {
        try SocketAddresses.find(
            explicit: socket, environment: ProcessInfo.processInfo.environment)
    }

    /// How text is coloured.
    var style: TextStyle { TextStyle(isColored: !noColor && !json && TextStyle.terminalAllows) }
}

/// Reads a value of the command line, so that a mistake is reported as one of its own.
enum Arguments {
    /// Texts KEY=VALUE.
    static func pairs(_ texts: [String], noun: String) throws -> [(key: String, value: String)] {
        try texts.map { text in
            guard let equals = text.firstIndex(of: "=") else {
                throw LinajeError(
                    .invalidArgument, "\(noun) \"\(text)\" has no value; write KEY=VALUE")
            }
            return (String(text[..<equals]), String(text[text.index(after: equals)...]))
        }
    }

    static func tags(_ texts: [String]) throws -> [Tag] {
        try pairs(texts, noun: "tag").map { Tag(key: $0.key, value: $0.value) }
    }

    /// Params KEY=VALUE: whole numbers, numbers and truth values get their type, the rest is text.
    static func params(_ texts: [String]) throws -> [Param] {
        try pairs(texts, noun: "param").map { pair in
            let value: ParamValue =
                if let number = Int64(pair.value) {
                    .int(number)
                } else if let number = Double(pair.value) {
                    .double(number)
                } else if pair.value == "true" || pair.value == "false" {
                    .bool(pair.value == "true")
                } else {
                    .string(pair.value)
                }
            return Param(key: pair.key, value: value)
        }
    }

    /// An experiment named by its number or, when it is no number, by its name.
    static func experiment(_ text: String, _ client: LinajeClient) async throws -> Experiment {
        if let id = ExperimentID(text) { return try await client.experiment(id: id) }
        return try await client.experiment(name: text)
    }

    /// The experiment that gets a run, named as in `experiment`.
    ///
    /// - Parameter creates: whether one is made of a name that there is not.
    static func experimentID(
        _ text: String, creates: Bool, _ client: LinajeClient
    ) async throws -> ExperimentID {
        let isName = ExperimentID(text) == nil
        if creates, isName {
            return try await client.createExperiment(text, getExisting: true).id
        }
        do {
            return try await experiment(text, client).id
        } catch let error as LinajeError where error.code == .notFound && isName {
            throw LinajeError(
                .notFound,
                "experiment \"\(printable(String(text.prefix(80))))\" does not exist; make it with "
                    + "--create-experiment or \"linaje experiment create\"")
        }
    }

    /// A moment: a day (its beginning in UTC), or RFC 3339.
    static func time(_ text: String) throws -> Timestamp {
        guard let moment = Timestamp(text: text) else {
            throw LinajeError(
                .invalidArgument,
                "time \"\(text)\" is not understood; write 2026-11-24 or 2026-11-24T15:00:00Z")
        }
        return moment
    }

    /// - Throws: for a --limit of a list that shows nothing.
    static func checkLimit(_ limit: Int?) throws {
        guard limit ?? 1 > 0 else { throw ValidationError("--limit must be at least 1") }
    }

    /// An age: a whole number with s, m, h, d or w behind it.
    static func age(_ text: String) throws -> Duration {
        guard let age = Duration(age: text) else {
            throw LinajeError(
                .invalidArgument,
                "age \"\(text)\" is not understood; write a number with a unit: 90m, 12h, 30d")
        }
        return age
    }

    /// A number of bytes, with a unit or without.
    static func bytes(_ text: String) throws -> ByteCount {
        guard let bytes = ByteCount(size: text) else {
            throw LinajeError(
                .invalidArgument,
                "size \"\(text)\" is not understood; write a whole number with a unit: 500MiB, 20GiB"
            )
        }
        return bytes
    }

    /// A status by its name in any case.
    static func status(_ text: String) throws -> RunStatus {
        guard let status = RunStatus(rawValue: text.uppercased()) else {
            let names = RunStatus.allCases.map(\.rawValue).joined(separator: ", ")
            throw LinajeError(.invalidArgument, "status \"\(text)\" is not known; use \(names)")
        }
        return status
    }
}
