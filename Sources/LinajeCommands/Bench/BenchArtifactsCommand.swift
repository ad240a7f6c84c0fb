import ArgumentParser
import FoundationEssentials
import LinajeClient
import LinajeDomain

/// `linaje bench artifacts`
struct BenchArtifactsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "artifacts", abstract: "Measure how fast files are stored and read back.",
        discussion: """
            For each kind of content a folder is put as one tree and got back; then some more files \
            are put and got alone, for the time that one file takes. All content is computed from \
            the seed: random bytes, float32 and bf16 weights (Gaussian), text, duplicates (half of \
            the mebibytes repeat an earlier one), and small (a hundred times as many files of 1 to \
            8 KiB of text). Content that the store knows already is not stored again: use another \
            seed to measure twice. What was put stays in the store.

            --gate does the same to the same files in one process without a daemon (read, SHA-256 \
            of each piece and of the file, zstd, write, fdatasync, and back) in the daemon's state \
            directory, and ends with 1 unless the daemon reaches 20 % of it in putting and in \
            getting files of every kind but small ones, of which 5 %.

            EXAMPLES
              linaje bench artifacts
              linaje bench artifacts --kinds float32,bf16 --size 256 --files 4 --seed 7
              linaje bench artifacts --gate --json
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: "Which content, with commas between: \(Self.allKinds).")
    var kinds = Self.allKinds
    @Option(help: "Size of a file in MiB; small files have 1 to 8 KiB.")
    var size = 16
    @Option(help: "Files of each kind; of small ones a hundred times as many.")
    var files = 4
    @Option(help: "What the content is computed from; a random number if not given.")
    var seed: UInt64?
    @Flag(help: "End with 1 unless the daemon is as fast as it should be on this machine.")
    var gate = false
    @Option(
        help: "Where files are made, and --gate stores; the daemon's state directory if not given.",
        completion: .directory)
    var directory: String?

    private static let allKinds = BenchContent.allCases.map(\.rawValue).joined(separator: ",")
    /// Which share of the bare pipeline must be reached.
    private static let largeShare = 0.2
    private static let smallShare = 0.05
    /// Files that are put and got alone.
    private static let singles = 16

    private func wanted() throws -> [BenchContent] {
        try kinds.split(separator: ",").map { name in
            guard let kind = BenchContent(rawValue: String(name)) else {
                throw ValidationError("--kinds: \(name) is none of \(Self.allKinds).")
            }
            return kind
        }
    }

    func validate() throws {
        guard try !wanted().isEmpty else { throw ValidationError("--kinds must name one.") }
        guard (1...65_536).contains(size) else {
            throw ValidationError("--size must be 1 to 65536.")
        }
        guard (1...10_000).contains(files) else {
            throw ValidationError("--files must be 1 to 10000.")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        let status = try await client.status()
        let seed = seed ?? UInt64.random(in: 1...1 << 32)
        let place = directory ?? status.stateDirectory
        var report = BenchReport()
        report.fact("seed", .uint(seed))
        report.fact("file_bytes", .count(size << 20))
        report.line("files", "\(files) of \(size) MiB of each kind, seed \(seed)")
        let before = DaemonUsage(pid: status.pid)
        var found: [JSONValue] = []
        for kind in try wanted() {
            let folder = try BenchFolder(in: place)
            defer { folder.remove() }
            let result = try await measure(kind, client, folder, seed: seed)
            show(result, &report)
            found.append(result.json)
        }
        report.fact("kinds", .array(found))
        report.usage(before, DaemonUsage(pid: status.pid))
        try report.show(options)
    }

    private func measure(
        _ kind: BenchContent, _ client: LinajeClient, _ folder: BenchFolder, seed: UInt64
    ) async throws -> ArtifactResult {
        let (files, size) = (files, size << 20)
        let paths = try await BlockingThread.run {
            try folder.fill(kind, files: files, size: size, seed: seed)
        }
        var result = ArtifactResult(kind: kind, files: paths.count)
        let source = "\(folder.path)/\(kind.rawValue)-\(seed)"
        let stored = try await client.status().stored
        let tree = try await timed(&result.put) {
            let bar = ProgressBar("put \(kind.rawValue)", isQuiet: options.json)
            defer { bar.clear() }
            return try await client.upload(source, observer: bar.observer)
        }
        result.bytes = tree.size.bytes
        let after = try await client.status().stored.bytes
        // Somebody may have collected content meanwhile.
        result.storedBytes = after - min(after, stored.bytes)
        try await timed(&result.get) {
            let bar = ProgressBar("get \(kind.rawValue)", isQuiet: options.json)
            defer { bar.clear() }
            _ = try await client.download(
                .tree(tree.digest), to: folder.path + "/got", observer: bar.observer)
        }
        try await measureSingles(kind, client, folder, seed: seed &+ 1, &result)
        if gate {
            result.bare = try await BlockingThread.run {
                try ArtifactBaseline.measure(paths, in: folder.path)
            }
        }
        return result
    }

    /// Puts and gets files one by one.
    private func measureSingles(
        _ kind: BenchContent, _ client: LinajeClient, _ folder: BenchFolder, seed: UInt64,
        _ result: inout ArtifactResult
    ) async throws {
        let (files, size) = (min(files, Self.singles), size << 20)
        let paths = try await BlockingThread.run {
            try folder.fill(kind, files: files, size: size, seed: seed)
        }
        for path in paths.prefix(Self.singles * 8) {
            var took = Duration.zero
            let tree = try await timed(&took) { try await client.upload(path) }
            result.filePut.record(took)
            try await timed(&took) {
                let name = path.split(separator: "/").last.map(String.init) ?? path
                let file = try await client.read(.tree(tree.digest), path: TreePath(name))
                for try await _ in file {}
            }
            result.fileGet.record(took)
        }
    }

    @discardableResult
    private func timed<Value>(
        _ took: inout Duration, _ body: () async throws -> Value
    ) async throws -> Value {
        let start = ContinuousClock.now
        let value = try await body()
        took = ContinuousClock.now - start
        return value
    }

    private func show(_ result: ArtifactResult, _ report: inout BenchReport) {
        let name = result.kind.rawValue
        report.line(name, result.text)
        report.line("\(name) put", "one file: \(result.filePut.text)")
        report.line("\(name) get", "one file: \(result.fileGet.text)")
        guard gate else { return }
        let least = result.kind == .small ? Self.smallShare : Self.largeShare
        for (verb, share) in [("put", result.putShare), ("get", result.getShare)] {
            report.check(
                .init(
                    name: "\(name)_\(verb)_share", noun: "\(verb) of \(name) reaches",
                    unit: "of the bare pipeline", value: share, bound: .atLeast(least)))
        }
    }
}

/// What was found of one kind of content.
private struct ArtifactResult {
    let kind: BenchContent
    let files: Int
    var bytes: UInt64 = 0
    var storedBytes: UInt64 = 0
    var put = Duration.zero
    var get = Duration.zero
    var filePut = Latencies()
    var fileGet = Latencies()
    var bare: ArtifactBaseline.Rates?

    init(kind: BenchContent, files: Int) {
        self.kind = kind
        self.files = files
    }

    /// Bytes a second.
    private func rate(_ took: Duration) -> Double { Double(bytes) / max(took / .seconds(1), 1e-9) }
    var putShare: Double? { bare.map { rate(put) / $0.put } }
    var getShare: Double? { bare.map { rate(get) / $0.get } }
    /// How many times less is stored.
    private var ratio: Double { Double(bytes) / Double(max(1, storedBytes)) }

    var text: String {
        "put \(Rendering.decimal(rate(put) / 1e6, 0)) MB/s, get "
            + "\(Rendering.decimal(rate(get) / 1e6, 0)) MB/s, \(ByteCount(bytes)) stored in "
            + "\(ByteCount(storedBytes)) (\(Rendering.decimal(ratio, 2)) : 1)"
    }

    var json: JSONValue {
        .object([
            ("kind", .string(kind.rawValue)), ("files", .count(files)), ("bytes", .uint(bytes)),
            ("stored_bytes", .uint(storedBytes)), ("ratio", .double(ratio)),
            ("put_mb_per_second", .double(rate(put) / 1e6)),
            ("get_mb_per_second", .double(rate(get) / 1e6)), ("file_put", filePut.json),
            ("file_get", fileGet.json),
            ("bare_put_mb_per_second", bare.map { .double($0.put / 1e6) } ?? .null),
            ("bare_get_mb_per_second", bare.map { .double($0.get / 1e6) } ?? .null),
            ("put_share", putShare.map { .double($0) } ?? .null),
            ("get_share", getShare.map { .double($0) } ?? .null),
        ])
    }
}
