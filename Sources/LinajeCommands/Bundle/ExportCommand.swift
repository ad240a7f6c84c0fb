import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje export`
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write runs, models or data sets to one file.",
        discussion: """
            A bundle holds all that it names, to be imported elsewhere by "linaje import", on a \
            machine that this one cannot reach: params, tags, all points, artifacts, data sets, \
            links, logged models, versions. Each distinct content is in it once, compressed. \
            Logs of runs, stages and aliases stay behind.

            The bundle ends with a digest of all of it. With --sign-key it is signed, by an Ed25519 \
            key that "openssl genpkey -algorithm ed25519" made.
            """,
        subcommands: [
            ExportRunCommand.self, ExportModelCommand.self, ExportDatasetCommand.self,
        ])
}

/// What every export takes.
struct ExportOptions: ParsableArguments {
    @Option(
        name: .shortAndLong, help: "The file; it has its name once it is whole.",
        completion: .file())
    var output: String
    @Option(help: "Sign with the Ed25519 key of this PEM file.", completion: .file())
    var signKey: String?

    /// Writes a bundle of what `body` puts into it.
    func run(
        _ options: GlobalOptions,
        _ body: (inout Exporting, LinajeClient) async throws -> Void
    ) async throws {
        let key = try signKey.map { try BundleKeys.signing($0) }
        let client = try await options.connect()
        let bar = StepBar(isQuiet: options.json)
        defer { bar.clear() }
        let file = try ExportFile(output)
        do {
            let writer = try BundleWriter(file)
            var export = Exporting(client, to: writer) { bar.draw($0) }
            try await body(&export, client)
            try export.finish()
            let digest = try writer.finish(signedBy: key)
            bar.clear()
            report(options, export, writer, digest)
        } catch {
            file.abandon()
            throw error
        }
    }

    private func report(
        _ options: GlobalOptions, _ export: Exporting, _ writer: BundleWriter,
        _ digest: SHA256Digest
    ) {
        let counts = export.counts
        if options.json {
            Output.line(
                JSONValue.object([
                    ("file", .string(output)), ("digest", .string("\(digest)")),
                    ("signed", .bool(signKey != nil)), ("bytes", .uint(writer.length)),
                    ("content_bytes", .uint(writer.contentBytes)), ("runs", .count(counts.runs)),
                    ("logged_models", .count(counts.loggedModels)),
                    ("registered_models", .count(counts.models)),
                    ("versions", .count(counts.versions)), ("points", .uint(export.points)),
                ]).text)
        } else {
            Output.line(
                "\(output): \(counts.runs) runs, \(counts.loggedModels) logged models, "
                    + "\(counts.versions) versions, \(Rendering.grouped(export.points)) points; "
                    + "\(ByteCount(writer.contentBytes)) of files in "
                    + "\(ByteCount(writer.length))\nsha256:\(digest)"
                    + (signKey == nil ? "" : " (signed)"))
        }
    }
}

/// `linaje export run`
struct ExportRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Write runs that have ended, with all they have.",
        discussion: """
            EXAMPLES
              linaje export run RUN RUN -o runs.lnj
              linaje export run RUN -o run.lnj --sign-key key.pem
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var export: ExportOptions
    @Argument(help: "The runs' ids.")
    var runs: [String]

    func run() async throws {
        try await export.run(options) { export, client in
            for run in runs { try await export.add(try await Arguments.run(run, client)) }
        }
    }
}

/// `linaje export model`
struct ExportModelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model", abstract: "Write registered models or some of their versions.",
        discussion: """
            With the runs and the logged models that they came of. NAME means all versions.

            EXAMPLES
              linaje export model iris -o iris.lnj
              linaje export model models:/iris/3 models:/fraud@champion -o models.lnj
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var export: ExportOptions
    @Argument(help: "NAME, NAME/VERSION or a models:/ URI.")
    var models: [String]

    func run() async throws {
        try await export.run(options) { export, client in
            for model in models { try await add(model, to: &export, client) }
        }
    }

    private func add(
        _ text: String, to export: inout Exporting, _ client: LinajeClient
    ) async throws {
        guard text.hasPrefix("models:/") || text.contains("/") else {
            let model = try await client.registeredModel(text)
            let versions = try await client.all { page in
                try await client.modelVersions(of: model.name, page: page)
            }
            guard !versions.isEmpty else {
                throw LinajeError(
                    .notFound, "registered model \"\(text)\" has no version to export")
            }
            for version in versions.reversed() { try await export.add(version) }
            return
        }
        let uri = try ModelURI(parsing: text.hasPrefix("models:/") ? text : "models:/\(text)")
        // Whoever takes the bundle in scans it again, by a policy of their own.
        switch try await client.resolve(uri, toLook: true) {
        case .version(let version): try await export.add(version)
        case .loggedModel(let model): try await export.add(model)
        }
    }
}

/// `linaje export dataset`
struct ExportDatasetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dataset", abstract: "Write data sets with the runs that used them.",
        discussion: """
            A data set is known by the runs that used it: the bundle holds these as "linaje export \
            run" does, those that have ended, and the data set's content where the daemon has it.

            EXAMPLES
              linaje export dataset mnist -o mnist.lnj
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var export: ExportOptions
    @Argument(help: "The data sets' names.")
    var names: [String]

    func run() async throws {
        try await export.run(options) { export, client in
            for name in names {
                let quoted = name.replacing("'", with: "''")
                let found = try await client.all { page in
                    try await client.datasets(
                        search: SearchTerms(filter: "name = '\(quoted)'"), page: page)
                }
                guard !found.isEmpty else {
                    throw LinajeError(.notFound, "no run has used a data set \"\(name)\"")
                }
                for id in Set(found.map(\.runID)).sorted(by: { "\($0)" < "\($1)" }) {
                    let run = try await client.run(id)
                    guard run.status.isTerminal, run.lifecycle == .active else { continue }
                    try await export.add(id)
                }
            }
        }
    }
}
