import Glibc
public import LinajeDomain
import LinajeHost

/// A plugin that stands in a folder of its own in one of the plugin directories.
public struct PluginFolder: Sendable {
    /// Most plugins of a directory.
    public static let mostPlugins = 256

    /// The folder.
    public var path: String
    /// What its manifest says; `nil` when that cannot be read.
    public var manifest: PluginManifest?
    /// Why it cannot be used; `nil`: it can.
    public var problem: LinajeError?

    /// What it is called: as its manifest says, else as its folder.
    public var name: String {
        manifest?.descriptor.name ?? String(path.split(separator: "/").last ?? "")
    }

    /// Absolute path of its program, whether it is there or not.
    public var executable: String? { manifest.map { "\(path)/\($0.executable)" } }

    /// Looks at a folder.
    public init(_ path: String) {
        self.path = path
        do {
            let manifest = try Self.manifest(in: path)
            self.manifest = manifest
            try Self.check(manifest, in: path)
        } catch {
            problem =
                error as? LinajeError ?? LinajeError(.invalidArgument, "plugin \(path): \(error)")
        }
    }

    /// The plugins of these directories, by name. One that is not there has none. Of two with the same
    /// kind and name the later cannot be used.
    public static func all(in directories: [String]) -> [PluginFolder] {
        var found: [PluginFolder] = []
        var taken: [PluginDescriptor.Kind: Set<String>] = [:]
        for directory in directories {
            for name in names(in: directory).prefix(mostPlugins) {
                var folder = PluginFolder("\(directory)/\(name)")
                if let descriptor = folder.manifest?.descriptor,
                    !taken[descriptor.kind, default: []].insert(descriptor.name).inserted,
                    folder.problem == nil
                {
                    folder.problem = LinajeError(
                        .alreadyExists,
                        "plugin \(folder.path): a \(descriptor.kind.rawValue) \"\(descriptor.name)\" is "
                            + "there already; remove one of the two")
                }
                found.append(folder)
            }
        }
        return found.sorted { ($0.name, $0.path) < ($1.name, $1.path) }
    }

    private static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix("."), isFolder("\(directory)/\(name)") { names.append(name) }
        }
        return names.sorted()
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return fstatat(AT_FDCWD, path, &status, 0) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func manifest(in folder: String) throws -> PluginManifest {
        let path = "\(folder)/\(PluginManifest.fileName)"
        guard let bytes = SmallFile.read(path, limit: PluginManifest.mostBytes + 1) else {
            throw LinajeError(
                .notFound,
                "plugin \(folder) has no readable \(PluginManifest.fileName): "
                    + String(cString: strerror(errno)))
        }
        guard bytes.count <= PluginManifest.mostBytes else {
            throw LinajeError(
                .limitExceeded,
                "plugin manifest \(path) has more than \(PluginManifest.mostBytes) bytes")
        }
        return try PluginManifest(parsing: bytes, path: path)
    }

    /// - Throws: when others than root and this user could change it, or its program is none.
    private static func check(_ manifest: PluginManifest, in folder: String) throws {
        guard manifest.protocolVersion == PluginManifest.protocolVersion else {
            throw LinajeError(
                .versionUnsupported,
                "plugin \(folder) speaks protocol \(manifest.protocolVersion), and this version "
                    + "\(PluginManifest.protocolVersion); install the one that was made for it")
        }
        let program = "\(folder)/\(manifest.executable)"
        for path in [folder, "\(folder)/\(PluginManifest.fileName)", program] {
            var status = stat()
            guard fstatat(AT_FDCWD, path, &status, 0) == 0 else {
                throw LinajeError(
                    .notFound, "plugin \(folder) has no \(path.split(separator: "/").last ?? "")")
            }
            guard status.st_uid == 0 || status.st_uid == geteuid(), status.st_mode & 0o022 == 0
            else {
                throw LinajeError(
                    .permissionDenied,
                    "plugin \(folder): \(path) can be changed by others; let it belong to root and "
                        + "chmod go-w it")
            }
        }
        var status = stat()
        guard lstat(program, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            access(program, X_OK) == 0
        else {
            throw LinajeError(
                .invalidArgument, "plugin \(folder): \(manifest.executable) cannot be executed")
        }
    }
}
