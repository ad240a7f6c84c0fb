import LinajeArtifacts
import LinajeClient
import LinajeDomain
import LinajeWire

/// Puts runs, models and versions into a bundle, with everything that they need to be whole
/// elsewhere.
///
/// A version brings its logged model and the run that made it; a run brings its logged models and the
/// content of its data sets, where the daemon has that.
struct Exporting {
    /// Points of one record: it stays below what a record of points may have.
    private static let pointsPerRecord = 16_384

    private let client: LinajeClient
    private let writer: BundleWriter
    private let step: @Sendable (String) -> Void
    /// Run by run, those that others are a part of before them.
    private var runs: [RunID: ImportObject] = [:]
    private var runOrder: [RunID] = []
    private var loggedModels: [LoggedModelID: ImportObject] = [:]
    private var loggedOrder: [LoggedModelID] = []
    private var models: [String: ImportObject] = [:]
    private var versions: [VersionName: ImportObject] = [:]
    private var experiments: [ExperimentID: String] = [:]
    private(set) var points: UInt64 = 0

    init(
        _ client: LinajeClient, to writer: BundleWriter, step: @escaping @Sendable (String) -> Void
    ) {
        self.client = client
        self.writer = writer
        self.step = step
    }

    var counts: (runs: Int, loggedModels: Int, models: Int, versions: Int) {
        (runs.count, loggedModels.count, models.count, versions.count)
    }

    // MARK: What goes in

    /// A run with all that it has.
    ///
    /// - Throws: `failedPrecondition` for one that has not ended, `runNotActive` for a deleted one.
    mutating func add(_ id: RunID) async throws {
        guard runs[id] == nil else { return }
        let run = try await client.run(id)
        guard run.lifecycle == .active else {
            throw LinajeError(.runNotActive, "run \(id) is deleted; restore it before exporting it")
        }
        guard run.status.isTerminal else {
            throw LinajeError(
                .failedPrecondition,
                "run \(id) is \(run.status.rawValue); only a run that has ended is exported: wait, "
                    + "or end it by linaje run finish")
        }
        step("run \(id)")
        let tree = try await content(of: .run(id, path: nil))
        for dataset in run.datasets {
            for digest in dataset.digests where digest.algorithm == "sha256" {
                guard let digest = SHA256Digest(digest.value), try await client.hasTree(digest)
                else { continue }
                _ = try await content(of: .tree(digest))
            }
        }
        let digest = try await addPoints(of: id)
        runs[id] = ImportObject(
            .run(run, tree: tree, points: digest),
            experiment: try await experiment(run.experimentID))
        runOrder.append(id)
        let daemon = client
        let made = try await daemon.all { page in
            try await daemon.loggedModels(run: id, page: page)
        }
        for model in made where model.status == .ready {
            try await add(model)
        }
    }

    mutating func add(_ version: ModelVersion) async throws {
        let name = VersionName(name: version.name, version: version.version)
        guard versions[name] == nil else { return }
        if let run = version.runID { try await addIfThere(run) }
        if let id = version.loggedModelID, loggedModels[id] == nil {
            try await add(try await client.loggedModel(id))
        }
        step("models:/\(version.name)/\(version.version)")
        if models[version.name] == nil {
            models[version.name] = ImportObject(
                .registeredModel(try await client.registeredModel(version.name)))
        }
        let found = try await content(of: .tree(version.tree))
        guard found == version.tree else {
            throw LinajeError(
                .corrupt, "\(version.name)/\(version.version) has other files than its tree says")
        }
        versions[name] = ImportObject(
            .version(try await client.modelVersion(version.name, version.version)))
    }

    mutating func add(_ model: LoggedModel) async throws {
        guard loggedModels[model.id] == nil else { return }
        guard let tree = model.tree, model.status == .ready else {
            throw LinajeError(
                .failedPrecondition, "logged model \(model.id) is \(model.status.rawValue)")
        }
        if let run = model.runID { try await addIfThere(run) }
        // The run has brought it along.
        guard loggedModels[model.id] == nil else { return }
        step("models:/\(model.id)")
        _ = try await content(of: .tree(tree))
        loggedModels[model.id] = ImportObject(
            .loggedModel(try await client.loggedModel(model.id)),
            experiment: try await experiment(model.experimentID))
        loggedOrder.append(model.id)
    }

    /// Writes what everything is, each after what it refers to.
    func finish() throws {
        var written: Set<RunID> = []
        func write(_ object: ImportObject) throws {
            try writer.add(object: try object.encoded())
        }
        func writeRun(_ id: RunID) throws {
            guard let object = runs[id], written.insert(id).inserted else { return }
            if case .run(let run, _, _) = object.content, let parent = run.parentID {
                try writeRun(parent)
            }
            try write(object)
        }
        for id in runOrder { try writeRun(id) }
        for id in loggedOrder { if let object = loggedModels[id] { try write(object) } }
        for (_, object) in models.sorted(by: { $0.key < $1.key }) { try write(object) }
        let ordered = versions.sorted {
            ($0.key.name, $0.key.version) < ($1.key.name, $1.key.version)
        }
        for (_, object) in ordered { try write(object) }
    }

    // MARK: Parts

    /// A run that was deleted since is no hindrance to what came of it.
    private mutating func addIfThere(_ id: RunID) async throws {
        do {
            try await add(id)
        } catch let error as LinajeError where [.notFound, .runNotActive].contains(error.code) {
            step("run \(id) is deleted and left out")
        }
    }

    private mutating func experiment(_ id: ExperimentID) async throws -> String {
        if let known = experiments[id] { return known }
        let name = try await client.experiment(id: id).name
        experiments[id] = name
        return name
    }

    /// Puts the files of a root in, those that are not there yet.
    ///
    /// - Returns: the digest of their tree; `nil` when there are none.
    private func content(of root: ContentURI) async throws -> SHA256Digest? {
        if case .tree(let digest) = root, writer.has(tree: digest) { return digest }
        let client = client
        let listed = try await client.all { page in
            try await client.artifacts(of: root, recursive: true, page: page).entries
        }
        if listed.isEmpty, case .run = root { return nil }
        let entries = try listed.map { entry in
            guard let sha256 = entry.sha256 else {
                throw LinajeError(.badMessage, "\(root) lists \(entry.path) without a digest")
            }
            let mode: FileMode =
                switch entry.kind {
                case .executable: .executable
                case .link: .link
                case .file, .folder: .file
                }
            return TreeEntry(
                path: entry.path, mode: mode, size: entry.size.bytes, sha256: sha256)
        }
        for entry in entries where !writer.has(file: entry.sha256) {
            step("\(entry.path), \(ByteCount(entry.size))")
            var file = writer.begin(entry.sha256, size: entry.size)
            for try await bytes in try await client.read(root, path: entry.path) {
                try writer.add(bytes, to: &file)
            }
            try writer.finish(file)
        }
        let tree = try Tree(entries)
        try writer.add(tree)
        return ContentHasher.digest(tree.canonical)
    }

    /// Puts the points of a run in.
    ///
    /// - Returns: what they are: equal points have equal digests, however they come.
    private mutating func addPoints(of run: RunID) async throws -> SHA256Digest? {
        var hasher = ContentHasher()
        var last: MetricSeries?
        var count: UInt64 = 0
        for try await chunk in try await client.history(of: run) {
            if chunk.series != last {
                last = chunk.series
                hasher.update(Self.text(chunk.series))
            }
            for start in stride(from: 0, to: chunk.columns.count, by: Self.pointsPerRecord) {
                let end = min(chunk.columns.count, start + Self.pointsPerRecord)
                let part = BundledPoints(
                    run: run, series: chunk.series, columns: chunk.columns[start..<end])
                try writer.add(points: try part.encoded())
            }
            hasher.update(Self.text(chunk.columns))
            count += UInt64(chunk.columns.count)
        }
        points += count
        return count == 0 ? nil : hasher.digest
    }

    private static func text(_ series: MetricSeries) -> [UInt8] {
        var out: [UInt8] = []
        for text in [
            series.key, series.modelID.map { "\($0)" } ?? "", series.datasetName,
            series.datasetDigest,
        ] {
            out += text.utf8
            out.append(0)
        }
        return out
    }

    private static func text(_ columns: MetricColumns) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(columns.count * 24)
        for index in 0..<columns.count {
            let point = columns[index]
            for bits in [
                UInt64(bitPattern: point.step), UInt64(bitPattern: point.time),
                point.value.isNaN ? Double.nan.bitPattern : point.value.bitPattern,
            ] {
                withUnsafeBytes(of: bits.littleEndian) { out += $0 }
            }
        }
        return out
    }
}
