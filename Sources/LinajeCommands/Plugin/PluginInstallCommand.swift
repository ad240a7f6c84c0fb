import ArgumentParser
import FoundationEssentials
import Glibc
import LinajeClient
import LinajeDomain
import LinajeHost
import LinajePluginKit

/// `linaje plugin install`
struct PluginInstallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install", abstract: "Put a plugin into a plugin directory.",
        discussion: """
            Copies the program and its manifest, and writes the program's SHA-256 into the manifest: \
            the daemon then runs that program and no other. One of the same name is replaced. A daemon \
            that runs uses it at once.

            EXAMPLES
              linaje plugin install demo/
              sudo linaje plugin install demo/ --directory /usr/lib/linaje/plugins
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "The folder with its plugin.json.", completion: .directory)
    var path: String
    @Option(
        help: """
            The plugin directory; by default that of the user, /usr/local/lib/linaje/plugins for root.
            """, completion: .directory)
    var directory: String?

    func run() async throws {
        let package = try PluginPackage(path)
        var manifest = package.manifest
        manifest.sha256 = try package.digest()
        let name = manifest.descriptor.name
        let folder = "\(try target())/\(name)"
        try replace(folder, package, manifest)
        let placed = PluginFolder(folder)
        if let problem = placed.problem { throw problem }
        // Looking at the directories anew is what makes a daemon use it.
        let seen = try? await options.connect(patience: .zero).plugins()
            .first { $0.folder == folder || $0.name == name }
        if options.json {
            Output.line(
                JSONValue.object([
                    ("name", .string(name)), ("version", .string(manifest.descriptor.version)),
                    ("folder", .string(folder)),
                    ("sha256", .optional(manifest.sha256?.description)),
                    ("state", .optional(seen?.state)),
                ]).text)
        } else {
            let state = seen.map { "the daemon has it, \($0.state)" } ?? "no daemon has seen it yet"
            Output.line("plugin \(name) \(manifest.descriptor.version) is in \(folder); \(state)")
        }
    }

    private func target() throws -> String {
        let environment = ProcessInfo.processInfo.environment
        let usual =
            geteuid() == 0 ? "/usr/local/lib/linaje/plugins" : PluginDirectories.user(environment)
        guard let directory = directory ?? usual else {
            throw LinajeError(
                .invalidArgument, "this user has no home; give --directory, a plugin directory")
        }
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o755])
        } catch {
            throw LinajeError(
                .readOnly, "plugin directory \(directory) cannot be made: \(error)")
        }
        return try PluginPackage.absolute(directory)
    }

    /// Writes the new folder beside the old one, and lets it take its place.
    private func replace(
        _ folder: String, _ package: PluginPackage, _ manifest: PluginManifest
    ) throws {
        let files = FileManager.default
        let (new, old) = (folder + ".new", folder + ".old")
        let hidden = { (path: String) -> String in
            let slash = path.lastIndex(of: "/") ?? path.startIndex
            return path[...slash] + "." + path[path.index(after: slash)...]
        }
        let (fresh, former) = (hidden(new), hidden(old))
        do {
            try? files.removeItem(atPath: fresh)
            try? files.removeItem(atPath: former)
            try files.createDirectory(
                atPath: fresh, withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o755])
            let program = "\(fresh)/\(manifest.executable)"
            try files.copyItem(atPath: package.program, toPath: program)
            try files.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
            let text = manifest.json.text + "\n"
            let path = "\(fresh)/\(PluginManifest.fileName)"
            try Data(text.utf8).write(to: URL(filePath: path))
            try files.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
            if files.fileExists(atPath: folder) {
                try files.moveItem(atPath: folder, toPath: former)
            }
            try files.moveItem(atPath: fresh, toPath: folder)
            try? files.removeItem(atPath: former)
        } catch {
            throw LinajeError(.readOnly, "plugin cannot be put into \(folder): \(error)")
        }
    }
}

extension PluginManifest {
    /// As it stands in a file.
    var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("name", .string(descriptor.name)), ("kind", .string(descriptor.kind.rawValue)),
            ("version", .string(descriptor.version)), ("protocol", .uint(protocolVersion)),
            ("executable", .string(executable)),
        ]
        if network { members.append(("network", .bool(true))) }
        if let sha256 { members.append(("sha256", .string("\(sha256)"))) }
        for (key, text) in [("description", summary), ("license", license), ("url", url)]
        where !text.isEmpty {
            members.append((key, .string(text)))
        }
        if !readable.isEmpty { members.append(("read", .strings(readable))) }
        return .object(members)
    }
}
