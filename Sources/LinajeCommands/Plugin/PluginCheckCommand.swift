import ArgumentParser
import FoundationEssentials
import LinajeConformance
import LinajeDomain
import LinajePluginKit

/// `linaje plugin check`
struct PluginCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Try whether a plugin does what every plugin must.",
        discussion: """
            Starts the plugin locked up, as the daemon would, and runs the conformance suite: whether it \
            keeps to the protocol, frame by frame; then it is asked about models that it must know \
            (conformance/good/*, one folder each), about models that it must refuse or warn of \
            (conformance/bad/*), and about these torn, damaged and made of noise, where anything but an \
            answer or an error is a failure. A storage plugin is tried in folders of a place that it can \
            write to, and leaves them empty. A program without a plugin.json is checked as --kind says, \
            without files or, unless it is a storage plugin, network. No daemon is needed.

            EXAMPLES
              linaje plugin check demo/
              linaje plugin check demo/ --good ~/models/iris --json
              linaje plugin check ./linaje-demo-flavor --good ~/models/iris
              linaje plugin check sftp-python/ --place "me@nas/tmp/check?identity=/etc/linaje/key"
            """)

    @Flag(help: "Print JSON for programs instead of text for people.")
    var json = false
    @Argument(help: "The folder with its plugin.json, or a program.", completion: .file())
    var path: String
    @Option(help: "What a program without a plugin.json is: flavor or storage.")
    var kind: Kind = .flavor
    @Option(
        help: "The folder of a model that it must know; may be given many times.",
        completion: .directory)
    var good: [String] = []
    @Option(help: "The folder of a model that it must refuse or warn of.", completion: .directory)
    var bad: [String] = []
    @Option(
        help: "For a storage plugin: what stands after plugin:NAME/ in an address of it.")
    var place: String?
    @Option(help: "Another seed for the damage.")
    var seed: UInt64 = 20_260_101

    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case flavor, storage

        var ofPlugin: PluginDescriptor.Kind {
            self == .flavor ? .modelFlavor : .artifactBackend
        }
    }

    func run() async throws {
        let package = try PluginPackage(path, programsAre: kind.ofPlugin)
        let manifest = package.manifest
        let name = manifest.descriptor.name
        switch manifest.descriptor.kind {
        case .modelFlavor: try await checkFlavor(package)
        case .artifactBackend:
            guard let place else {
                throw ValidationError("Say by --place where storage plugin \(name) may write.")
            }
            let check = try StorageCheck(package, place: place)
            let spoken = try await speak(package)
            let failed = await run(check.cases)
            await check.close()
            try report(failed, of: check.cases.count + spoken, name)
        case .sqlBackend:
            throw LinajeError(
                .invalidArgument,
                "plugin \(name) is a SQL backend; this version checks model flavors and artifact "
                    + "backends")
        }
    }

    private func checkFlavor(_ package: PluginPackage) async throws {
        let manifest = package.manifest
        let good = try models(good, usual: "\(package.folder)/conformance/good")
        let bad = try models(bad, usual: "\(package.folder)/conformance/bad")
        guard !good.isEmpty else {
            throw LinajeError(
                .invalidArgument,
                "there is no model that plugin \(manifest.descriptor.name) must know; put one into "
                    + "conformance/good/NAME/ or give --good FOLDER")
        }
        let process = PluginProcess(
            confined: package.program, of: manifest, by: try PluginPackage.host())
        let greeting = ConformanceCase("it starts, speaks the protocol and has flavors") {
            let flavors = try await process.start()
            guard !flavors.isEmpty else { throw ConformanceFailure("it has no flavors") }
        }
        let spoken = try await speak(package)
        let cases =
            [greeting] + ModelFlavorSuite.cases(flavor: process, good: good, bad: bad, seed: seed)
        let failed = await run(cases)
        await process.shutdown()
        try report(failed, of: cases.count + spoken, manifest.descriptor.name)
    }

    /// Tries the protocol. Nothing else is tried with a program that does not keep to it.
    ///
    /// - Returns: How many cases it passed.
    private func speak(_ package: PluginPackage) async throws -> Int {
        let cases = PluginProtocolSuite.cases(
            program: package.program, manifest: package.manifest, isNamed: package.isNamed,
            host: try PluginPackage.host())
        let failed = await run(cases)
        guard failed > 0 else { return cases.count }
        try report(failed, of: cases.count, package.manifest.descriptor.name)
        throw ExitCode(1)
    }

    private func report(_ failed: Int, of count: Int, _ name: String) throws {
        if !json {
            Output.line(
                failed == 0
                    ? "plugin \(name): all \(count) cases pass"
                    : "plugin \(name): \(failed) of \(count) cases fail")
        }
        if failed > 0 { throw ExitCode(1) }
    }

    /// - Returns: how many fail.
    private func run(_ cases: [ConformanceCase]) async -> Int {
        var failed = 0
        for each in cases {
            var problem: String?
            do {
                try await each.body()
            } catch {
                problem = (error as? LinajeError)?.message ?? "\(error)"
                failed += 1
            }
            if json {
                Output.line(
                    JSONValue.object([
                        ("case", .string(each.name)), ("passed", .bool(problem == nil)),
                        ("problem", .optional(problem)),
                    ]).text)
            } else {
                Output.line("\(problem == nil ? "ok    " : "FAILED")  \(each.name)")
                if let problem { Output.line("        \(printable(problem))") }
            }
        }
        return failed
    }

    private func models(_ given: [String], usual: String) throws -> [ConformanceModel] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: usual))?.sorted() ?? []
        return try (names.filter { !$0.hasPrefix(".") }.map { "\(usual)/\($0)" } + given).map {
            try ModelFolder.read($0)
        }
    }
}

/// A model in a folder, for the suite.
enum ModelFolder {
    /// Most bytes of one: it is torn and damaged many times.
    private static let mostBytes = 16 << 20

    static func read(_ path: String) throws -> ConformanceModel {
        var files: [String: [UInt8]] = [:]
        var bytes = 0
        guard let walk = try? FileManager.default.subpathsOfDirectory(atPath: path) else {
            throw LinajeError(.notFound, "folder \(path) of a model cannot be read")
        }
        for name in walk.sorted() {
            var isFolder = false
            guard FileManager.default.fileExists(atPath: "\(path)/\(name)", isDirectory: &isFolder),
                !isFolder
            else { continue }
            guard let content = FileManager.default.contents(atPath: "\(path)/\(name)") else {
                throw LinajeError(.readOnly, "file \(path)/\(name) cannot be read")
            }
            bytes += content.count
            guard bytes <= mostBytes else {
                throw LinajeError(
                    .limitExceeded,
                    "model \(path) has more than \(ByteCount(UInt64(mostBytes))); use a small one")
            }
            files[name] = Array(content)
        }
        guard !files.isEmpty else { throw LinajeError(.notFound, "model \(path) has no files") }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return ConformanceModel(name, files: files)
    }
}
