import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje import`
struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Take in a bundle that \"linaje export\" wrote.",
        discussion: """
            The whole file is checked before anything is sent. Objects are created in one \
            transaction: all or none. What is there already is left as it is, so an import can be \
            repeated, and one that was interrupted is finished by the same command.

            Runs and logged models keep their ids, versions their numbers. A version whose number \
            stands for other content here, or was deleted, gets the next number; its tag \
            linaje.import.version says what it was called. Stages and aliases are not taken over, \
            but noted in tags. With --trust only a bundle is taken that one of the keys signed.

            EXAMPLES
              linaje import iris.lnj
              linaje import iris.lnj --trust keys.pem
              linaje import iris.lnj --dry-run
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The bundle.", completion: .file())
    var file: String
    @Option(
        help: "Take it only if a key of this PEM file has signed it (Ed25519 public keys).",
        completion: .file())
    var trust: String?
    @Flag(help: "Only check the file and say what is in it; needs no daemon.")
    var dryRun = false

    func run() async throws {
        let trusted = try trust.map { try BundleKeys.trusted($0) }
        let bar = StepBar(isQuiet: options.json)
        defer { bar.clear() }
        let client = dryRun ? nil : try await options.connect()
        bar.draw("checking \(file)")
        let path = file
        let (reader, contents) = try await BlockingThread.run {
            let reader = try BundleReader(path)
            return (reader, try reader.check(trusting: trusted))
        }
        guard let client else {
            bar.clear()
            return show(
                contents, contents.objects.map { ($0.name, "in the bundle") },
                points: contents.pointCount)
        }
        let done = try await Importing(
            client: client, reader: reader, contents: contents, step: { bar.draw($0) }
        ).run()
        bar.clear()
        show(contents, done.objects.map { ($0.name, $0.outcome.rawValue) }, points: done.points)
        let different = done.objects.filter { $0.outcome == .different }
        for object in different {
            Output.flush()
            Output.note("\(printable(object.name)) is here with other content; it stays as it is")
        }
    }

    private func show(
        _ contents: BundleReader.Contents, _ objects: [(name: String, what: String)],
        points: UInt64
    ) {
        let signer = contents.trailer.signature.map { Hex.encode($0.key) }
        guard options.json else {
            for object in objects { Output.line("\(object.what)  \(printable(object.name))") }
            Output.line(
                "sha256:\(contents.trailer.digest), "
                    + (signer.map { "signed by \($0)" } ?? "not signed") + ", "
                    + "\(Rendering.grouped(points)) points" + (dryRun ? "" : " were new"))
            return
        }
        Output.line(
            JSONValue.object([
                ("digest", .string("\(contents.trailer.digest)")),
                ("signed_by", .optional(signer)), ("dry_run", .bool(dryRun)),
                ("points", .uint(points)),
                (
                    "objects",
                    .array(
                        objects.map {
                            .object([("name", .string($0.name)), ("outcome", .string($0.what))])
                        })
                ),
            ]).text)
    }
}

extension ImportObject {
    /// What it is called where it comes from.
    fileprivate var name: String {
        switch content {
        case .run(let run, _, _): "run \(run.id)"
        case .registeredModel(let model): "models:/\(model.name)"
        case .version(let version): "models:/\(version.name)/\(version.version)"
        case .loggedModel(let model): "models:/\(model.id)"
        }
    }
}
