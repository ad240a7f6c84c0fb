import Crypto
import FoundationEssentials
import Glibc
import LinajeDomain
import LinajeHost
import LinajePluginKit

/// The interpreter that a model's library runs in.
struct PythonEnvironment: Sendable {
    /// Absolute path of the interpreter.
    var program: String
    /// It sees nothing but its own packages.
    var isIsolated: Bool

    /// How long making an environment may take.
    private static let patience: Int32 = 3_600
    /// Makes Python import nothing from the current folder, which may be anybody's.
    static let isolated = "-I"
    /// Most bytes of a requirements.txt.
    private static let mostBytes = 1 << 20

    /// Finds the interpreter, and makes an environment of the model's requirements unless there is one.
    static func find(
        for model: ScoredModel, _ options: ScoringOptions, reads format: PredictInput.Format,
        quiet: Bool
    ) async throws -> PythonEnvironment {
        guard options.environmentManager == .venv else {
            let python = try interpreter(options.python ?? "python3")
            return PythonEnvironment(program: python, isIsolated: false)
        }
        let recorded =
            options.python == nil
            ? minorVersion(model.facts("python_function")["python_version"]) : nil
        let python = try await BlockingThread.run {
            try interpreter(options.python, recorded: recorded)
        }
        let bytes: [UInt8]
        if model.source.paths.contains("requirements.txt") {
            bytes = try await model.source.small("requirements.txt", limit: mostBytes)
        } else {
            let lines = model.description.requirements
            guard model.source.paths.contains("conda.yaml"), !lines.isEmpty else {
                throw LinajeError(
                    .failedPrecondition,
                    "\(model.name) has no requirements.txt to make an environment of; use --env-manager "
                        + "local with an interpreter that has its library")
            }
            bytes = Array(lines.joined(separator: "\n").utf8)
        }
        let lines = try requirements(
            bytes, of: model.schema, reads: format, isAllowed: options.allowCode)
        let folder = model.source.folder
        return try await BlockingThread.run {
            try make(
                lines, python: python, recorded: recorded, in: folder, name: model.name,
                buildsPackages: options.allowCode, quiet: quiet)
        }
    }

    /// The lines that name packages, and what rows reach the model in where none names it.
    ///
    /// - Throws: `permissionDenied` for lines that make pip fetch from elsewhere, or do more, unless
    ///   code is allowed.
    static func requirements(
        _ bytes: [UInt8], of schema: InputSchema?, reads format: PredictInput.Format = .json,
        isAllowed: Bool
    ) throws -> [String] {
        var lines = String(decoding: bytes, as: UTF8.self)
            .split(whereSeparator: \.isNewline).map { $0.trimmingPrefix(while: \.isWhitespace) }
            .filter { !$0.isEmpty && !$0.hasPrefix("#") }.map(String.init)
        lines = try lines.map { line in
            if let plain = PlainRequirement(line) { return plain.text }
            guard isAllowed else {
                throw LinajeError(
                    .permissionDenied,
                    "its requirements have \"\(printable(String(line.prefix(100))))\", which is no package "
                        + "with a version: it may install anything. If you trust who made the model: "
                        + "--allow-code")
            }
            return line
        }
        var needed = [carrier(of: schema) ?? "pandas"]
        if format == .parquet { needed += ["pandas", "pyarrow"] }
        for name in needed where !lines.map(PlainRequirement.name).contains(name) {
            lines.append(name)
        }
        return lines
    }

    /// The package in whose types rows reach a model; `nil`: it depends on what is given.
    static func carrier(of schema: InputSchema?) -> String? {
        schema.map { $0.columns == nil ? "numpy" : "pandas" }
    }

    /// "3.11" of "3.11.4"; `nil` of what is no version of Python.
    static func minorVersion(_ version: String?) -> String? {
        let parts = (version ?? "").split(separator: ".").prefix(2)
        guard parts.count == 2, parts.allSatisfy({ UInt8($0) != nil }) else { return nil }
        return parts.joined(separator: ".")
    }

    /// The interpreter that was asked for; else one of the version that made the model, where one is that
    /// makes environments; else python3. Blocks.
    private static func interpreter(_ wanted: String?, recorded: String?) throws -> String {
        if let wanted { return try interpreter(wanted) }
        if let recorded, let same = try? interpreter("python\(recorded)"),
            SpawnedProcess.output(
                of: [same, isolated, "-c", "import venv, ensurepip"], environment: environment())
                != nil
        {
            return same
        }
        return try interpreter("python3")
    }

    /// The absolute path of an interpreter, looked for in PATH.
    static func interpreter(_ name: String) throws -> String {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        let places =
            name.contains("/")
            ? [name.hasPrefix("/") ? name : "\(FileManager.default.currentDirectoryPath)/\(name)"]
            : path.split(separator: ":").map { "\($0)/\(name)" }
        guard let found = places.first(where: { $0.hasPrefix("/") && access($0, X_OK) == 0 }) else {
            throw LinajeError(
                .notFound, "there is no Python interpreter \(name); name one with --python")
        }
        return found
    }

    // MARK: Environments of requirements

    /// Makes an environment, or takes the one of the same requirements and Python. Blocks.
    private static func make(
        _ lines: [String], python: String, recorded: String?, in folder: String, name: String,
        buildsPackages: Bool, quiet: Bool
    ) throws -> PythonEnvironment {
        guard let root = GlobalOptions.cache("environments") else {
            throw LinajeError(
                .failedPrecondition,
                "there is no place for environments: set HOME or XDG_CACHE_HOME, or use --env-manager local"
            )
        }
        let about = "import sys, platform; print(sys.version.split()[0], platform.machine())"
        guard
            let said = SpawnedProcess.output(
                of: [python, isolated, "-c", about], environment: environment())
        else {
            throw LinajeError(.failedPrecondition, "\(python) is no Python that runs")
        }
        let version = String(decoding: said, as: UTF8.self)
        var hasher = SHA256()
        for line in [version] + lines { hasher.update(data: Data("\(line)\0".utf8)) }
        hasher.update(data: Data(buildsPackages ? "built".utf8 : "wheels".utf8))
        let place = "\(root)/\(Hex.encode(Array(hasher.finalize())))"
        let program = "\(place)/bin/python"
        if access(program, X_OK) == 0 { return .init(program: program, isIsolated: true) }
        do {
            try FileManager.default.createDirectory(
                atPath: root, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw LinajeError(.readOnly, "folder \(root) cannot be made: \(error)")
        }
        let lock = open("\(place).lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(lock) }
        let bar = StepBar(isQuiet: quiet)
        defer { bar.clear() }
        bar.draw("waiting for another that makes the environment of \(name)")
        guard lock >= 0, flock(lock, LOCK_EX) == 0 else {
            throw LinajeError(.readOnly, "\(place).lock cannot be locked")
        }
        if access(program, X_OK) == 0 { return .init(program: program, isIsolated: true) }
        if !quiet {
            Output.note("making the environment of \(name): \(lines.count) packages, by pip")
            let found = minorVersion(version.split(separator: " ").first.map(String.init))
            if let recorded, found != recorded {
                Output.note(
                    "it was made with Python \(recorded), which is not here: \(found ?? "?") is taken"
                )
            }
        }
        try build(lines, python, in: folder, at: place, buildsPackages: buildsPackages, bar)
        return .init(program: program, isIsolated: true)
    }

    /// Builds it beside its place and moves it there when it is whole.
    private static func build(
        _ lines: [String], _ python: String, in folder: String, at place: String,
        buildsPackages: Bool, _ bar: StepBar
    ) throws {
        let fresh = "\(place).new"
        try? FileManager.default.removeItem(atPath: fresh)
        defer { try? FileManager.default.removeItem(atPath: fresh) }
        bar.draw("making an environment")
        try run([python, isolated, "-m", "venv", fresh], "making an environment")
        let file = "\(fresh)/requirements.txt"
        do {
            try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(filePath: file))
        } catch {
            throw LinajeError(.readOnly, "\(file) cannot be written: \(error)")
        }
        bar.draw("installing \(lines.count) packages")
        // Without building: what a wheel holds is put in its place, what builds one runs.
        try run(
            [
                "\(fresh)/bin/python", isolated, "-m", "pip", "install", "--quiet", "--no-input",
                "--disable-pip-version-check",
            ] + (buildsPackages ? [] : ["--only-binary", ":all:"]) + ["--requirement", file],
            "installing the model's requirements")
        guard rename(fresh, place) == 0 else {
            throw LinajeError(
                .readOnly, "\(place) cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    private static func run(_ words: [String], _ what: String) throws {
        let outcome = SpawnedProcess.run(
            words, environment: environment(), withErrors: true, seconds: patience,
            limit: 256 << 10, beyondLimit: .drop)
        guard let outcome else {
            throw LinajeError(
                .failedPrecondition, "\(what) took longer than an hour, or could not be begun")
        }
        guard outcome.status == 0 else {
            let lines = String(decoding: outcome.output, as: UTF8.self).split(separator: "\n")
            let last = lines.suffix(4).map { printable(String($0)) }.joined(separator: "; ")
            throw LinajeError(.failedPrecondition, "\(what) failed: \(last)")
        }
    }

    /// What programs in Python get of our environment: where things are, how many threads, what pip
    /// fetches from; no secrets of ours.
    static func environment() -> [String] {
        let names: Set<String> = [
            "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH",
            "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY",
            "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "XDG_CACHE_HOME",
        ]
        let prefixes = ["PIP_", "OMP_", "OPENBLAS_", "MKL_", "CUDA_", "NVIDIA_"]
        return ProcessInfo.processInfo.environment.filter { name, _ in
            names.contains(name) || prefixes.contains { name.hasPrefix($0) }
        }.map { "\($0.key)=\($0.value)" }
    }
}
