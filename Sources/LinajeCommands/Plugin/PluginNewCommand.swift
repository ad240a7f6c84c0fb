import ArgumentParser
import FoundationEssentials
import Glibc
import LinajeDomain
import LinajePluginKit

/// `linaje plugin new`
struct PluginNewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Begin a plugin of your own.",
        subcommands: [PluginNewFlavorCommand.self])
}

/// `linaje plugin new flavor`
struct PluginNewFlavorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flavor", abstract: "Begin a flavor: a Swift package that builds and passes.",
        discussion: """
            Writes a package with one source file, a manifest, and a model to try it on. Build it \
            with swift build, try it with linaje plugin check, and put it in its place with linaje \
            plugin install.

            EXAMPLES
              linaje plugin new flavor demo
              linaje plugin new flavor demo --package ~/src/linaje
              cd demo && swift build && linaje plugin check . && linaje plugin install .
            """)

    @Argument(help: "Its name: lower-case letters, digits, \"-\", \"_\" and \".\".")
    var name: String
    @Option(help: "The folder to write; by default one of that name.", completion: .directory)
    var directory: String?
    @Option(
        help: """
            Where the package of Linaje is, a folder or a Git URL; by default the folder that this \
            program was built in.
            """, completion: .directory)
    var package: String?
    @Flag(help: "Print JSON for programs instead of text for people.")
    var json = false

    /// The flavors that come with the daemon (`BuiltinFlavors`; a test compares).
    private static let inTheBox: Set<String> = [
        "catboost", "gguf", "keras", "lightgbm", "onnx", "python_function", "pytorch",
        "safetensors", "scan", "sklearn", "tensorflow", "transformers", "xgboost",
    ]

    func run() async throws {
        guard PluginManifest.isName(name), !name.contains(".") else {
            throw LinajeError(
                .invalidArgument,
                "\"\(name)\" is no name for a flavor: use up to 64 lower-case letters, digits, \"-\" and "
                    + "\"_\", the first a letter")
        }
        guard !Self.inTheBox.contains(name) else {
            throw LinajeError(
                .alreadyExists,
                "there is a flavor \(name) in the box; take another name, as my-\(name)")
        }
        let folder = directory ?? name
        guard !FileManager.default.fileExists(atPath: folder) else {
            throw LinajeError(
                .alreadyExists, "\(folder) is there already; take another name or --directory")
        }
        let template = FlavorTemplate(name: name, package: try source())
        for (path, text) in template.files {
            let whole = "\(folder)/\(path)"
            let slash = whole.lastIndex(of: "/") ?? whole.startIndex
            do {
                try FileManager.default.createDirectory(
                    atPath: String(whole[..<slash]), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: URL(filePath: whole))
            } catch {
                throw LinajeError(.readOnly, "\(whole) cannot be written: \(error)")
            }
        }
        guard !json else {
            return Output.line(
                JSONValue.object([
                    ("folder", .string(folder)), ("files", .strings(template.files.map(\.path))),
                ]).text)
        }
        Output.line(
            """
            \(folder) is a package of its own now:
              cd \(folder)
              swift build              build it
              linaje plugin check .    try whether it does what every flavor must
              linaje plugin install .  let the daemon use it
            Its one source file is Sources/\(template.typeName).swift.
            """)
    }

    /// Where the package of Linaje is.
    private func source() throws -> FlavorTemplate.Source {
        if let package {
            guard !package.contains("://"), !package.hasPrefix("git@") else { return .url(package) }
            let folder = try PluginPackage.absolute(package)
            guard Self.isLinaje(folder) else {
                throw LinajeError(
                    .invalidArgument,
                    "\(package) is not the package of Linaje: give its folder or URL")
            }
            return .folder(folder)
        }
        let program =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        var folder = program
        while let slash = folder.lastIndex(of: "/") {
            folder = String(folder[..<slash])
            if Self.isLinaje(folder) { return .folder(folder) }
        }
        throw LinajeError(
            .invalidArgument,
            "this program does not know where the package of Linaje is; give --package, its folder or "
                + "its Git URL")
    }

    private static func isLinaje(_ folder: String) -> Bool {
        access("\(folder)/Package.swift", R_OK) == 0
            && access("\(folder)/Sources/LinajePluginKit", R_OK) == 0
    }
}
