import Crypto
import FoundationEssentials
import Glibc
import LinajeDomain
import LinajeHost
import LinajePluginKit

/// A plugin as its author has it: a folder with a plugin.json, and the program beside it or where
/// `swift build` puts it.
struct PluginPackage {
    var folder: String
    var manifest: PluginManifest
    /// Absolute path of the program.
    var program: String
    /// Whether the manifest is its own, and not made up for a program without one.
    var isNamed: Bool

    /// A folder, or a program on its own, which goes by its file's name.
    ///
    /// - Parameter kind: What such a program is.
    init(_ path: String, programsAre kind: PluginDescriptor.Kind) throws {
        let program = try Self.absolute(path)
        var status = stat()
        guard stat(program, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            self = try PluginPackage(path)
            return
        }
        guard access(program, X_OK) == 0, let slash = program.lastIndex(of: "/") else {
            throw LinajeError(
                .invalidArgument,
                "\(path) is neither a folder nor a program that may be executed (chmod +x)")
        }
        self.program = program
        isNamed = false
        folder = String(program[..<slash])
        let name = String(program[program.index(after: slash)...])
        manifest = PluginManifest(
            descriptor: PluginDescriptor(name: name, kind: kind, version: ""), executable: name,
            network: kind == .artifactBackend)
    }

    /// - Throws: `notFound` saying where the program was looked for; `invalidArgument` for a manifest
    ///   that is none.
    init(_ path: String) throws {
        folder = try Self.absolute(path)
        let file = "\(folder)/\(PluginManifest.fileName)"
        guard let bytes = SmallFile.read(file, limit: PluginManifest.mostBytes) else {
            throw LinajeError(
                .notFound,
                "\(path) has no \(PluginManifest.fileName); give the folder that holds it (linaje plugin "
                    + "new makes one)")
        }
        manifest = try PluginManifest(parsing: bytes, path: file)
        let (folder, executable) = (folder, manifest.executable)
        let places = ["", ".build/release/", ".build/debug/"].map { "\(folder)/\($0)\(executable)" }
        // The one that was built last: who has just built it means that.
        let found = places.filter { access($0, X_OK) == 0 }.max { Self.age($0) < Self.age($1) }
        guard let found else {
            throw LinajeError(
                .notFound,
                "no program \(executable) that may be executed is in \(path) or its .build; build it there, or "
                    + "chmod +x it"
            )
        }
        program = found
        isNamed = true
    }

    /// The SHA-256 of the program.
    func digest() throws -> LinajeDomain.SHA256Digest {
        var hasher = SHA256()
        guard SmallFile.pieces(of: program, { hasher.update(bufferPointer: $0) }) else {
            throw LinajeError(.readOnly, "program \(program) cannot be read")
        }
        return try LinajeDomain.SHA256Digest(Array(hasher.finalize()), noun: "SHA-256")
    }

    /// The flavor host: the launcher that locks plugins up. Only that of this installation.
    static func host() throws -> String {
        let program =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
            ?? CommandLine.arguments[0]
        let folder = program.lastIndex(of: "/").map { String(program[..<$0]) } ?? "."
        let places = [
            "\(folder)/linaje-flavor-host", "\(folder)/../libexec/linaje/linaje-flavor-host",
        ]
        guard let host = places.first(where: { access($0, X_OK) == 0 }) else {
            throw LinajeError(
                .notFound,
                "linaje-flavor-host is neither in \(folder) nor in its libexec; install all programs of "
                    + "Linaje together")
        }
        return host
    }

    static func absolute(_ path: String) throws -> String {
        guard let whole = realpath(path, nil) else {
            throw LinajeError(.notFound, "\(path): \(String(cString: strerror(errno)))")
        }
        defer { free(whole) }
        return String(cString: whole)
    }

    private static func age(_ path: String) -> Int {
        var status = stat()
        return fstatat(AT_FDCWD, path, &status, 0) == 0 ? status.st_mtim.tv_sec : 0
    }
}
