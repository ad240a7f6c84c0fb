import ArgumentParser
import FoundationEssentials
import LinajeClient
import LinajeDomain
import Synchronization

/// `linaje bench registry`
struct BenchRegistryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "registry", abstract: "Measure changes and look-ups of the model registry.",
        discussion: """
            Each agent has a connection and a registered model of its own, linaje-bench-…; for each \
            version it registers it, moves it to Staging and to Production, points an alias at it \
            and looks it up by version, stage and alias, one call after the other. The models are \
            deleted afterwards unless --keep is given or the caller may not; the ledger keeps what \
            happened.

            --gate measures the disk in the daemon's state directory first and ends with 1 unless \
            the p50 of a change by one agent is at most 12 times that of 8 KiB pwrite and fdatasync.

            EXAMPLES
              linaje bench registry --agents 4 --versions 50
              linaje bench registry --gate --json
            """)

    @OptionGroup var options: GlobalOptions
    @Option(help: "Agents at the same time.")
    var agents = 4
    @Option(help: "Versions each agent registers.")
    var versions = 50
    @Flag(help: "End with 1 unless a change is as fast as it should be on this disk.")
    var gate = false
    @Option(
        help: "Where --gate measures the disk; the daemon's state directory if not given.",
        completion: .directory)
    var directory: String?
    @Flag(help: "Keep the models.")
    var keep = false

    /// A change may take at most this many times a bare fdatasync.
    private static let changeFactor = 12.0

    func validate() throws {
        guard (1...1_000).contains(agents) else {
            throw ValidationError("--agents must be 1 to 1000.")
        }
        guard (1...100_000).contains(versions) else {
            throw ValidationError("--versions must be 1 to 100000.")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        let status = try await client.status()
        let tree = try await storeModel(client)
        var report = BenchReport()
        report.fact("agents", .count(agents))
        report.fact("versions", .count(versions))
        if gate {
            let place = directory ?? status.stateDirectory
            let disk = try await BlockingThread.run {
                try DiskBaseline.fdatasync(in: place, rounds: 500)
            }
            let alone = try await measure(1, tree)
            report.latencies("fdatasync", "fdatasync", disk)
            report.latencies("change_alone", "one agent", alone.changes)
            report.check(
                .init(
                    name: "change_ratio", noun: "a change takes", unit: "times an fdatasync",
                    value: alone.changes.p50 / disk.p50, bound: .atMost(Self.changeFactor)))
        }
        let before = DaemonUsage(pid: status.pid)
        let found = try await measure(agents, tree)
        report.line("agents", "\(agents), each with \(versions) versions of a model")
        for operation in RegistryOperation.allCases {
            let latencies = found.latencies[operation] ?? Latencies()
            report.latencies(operation.rawValue, operation.rawValue, latencies)
        }
        let seconds = max(found.elapsed / .seconds(1), 1e-9)
        let calls = found.latencies.values.reduce(0) { $0 + $1.count }
        report.fact("seconds", .double(seconds))
        report.fact("calls_per_second", .double(Double(calls) / seconds))
        report.fact("changes_per_second", .double(Double(found.changes.count) / seconds))
        report.line("calls/s", Rendering.grouped(Int64(Double(calls) / seconds)))
        report.line("changes/s", Rendering.grouped(Int64(Double(found.changes.count) / seconds)))
        report.usage(before, DaemonUsage(pid: status.pid))
        try report.show(options)
    }

    /// A tree that all versions are made of.
    private func storeModel(_ client: LinajeClient) async throws -> SHA256Digest {
        let folder = try BenchFolder(in: FileManager.default.temporaryDirectory.path)
        defer { folder.remove() }
        let paths = try folder.fill(.random, files: 1, size: 4_096, seed: 1)
        return try await client.upload(paths[0]).digest
    }

    /// Lets agents work at the same time.
    private func measure(_ agents: Int, _ tree: SHA256Digest) async throws -> RegistryResult {
        let run = UInt64.random(in: 0...UInt64(UInt32.max))
        let start = ContinuousClock.now
        let latencies = try await withThrowingTaskGroup(
            of: [RegistryOperation: Latencies].self
        ) { group in
            for number in 0..<agents {
                group.addTask {
                    try await work("linaje-bench-\(String(run, radix: 16))-\(number)", tree)
                }
            }
            var all: [RegistryOperation: Latencies] = [:]
            while let one = try await group.next() {
                all.merge(one) { sum, more in
                    var sum = sum
                    sum.add(more)
                    return sum
                }
            }
            return all
        }
        return RegistryResult(latencies: latencies, elapsed: ContinuousClock.now - start)
    }

    /// What one agent does.
    private func work(
        _ model: String, _ tree: SHA256Digest
    ) async throws -> [RegistryOperation: Latencies] {
        let client = try await options.connect()
        var latencies: [RegistryOperation: Latencies] = [:]
        func timed(
            _ operation: RegistryOperation, _ body: () async throws -> Void
        ) async throws {
            let start = ContinuousClock.now
            try await body()
            latencies[operation, default: Latencies()].record(ContinuousClock.now - start)
        }
        try await timed(.create) { _ = try await client.createRegisteredModel(model) }
        for number in 1...UInt64(versions) {
            try await timed(.register) {
                _ = try await client.createModelVersion(
                    model, source: ContentURI.tree(tree).description)
            }
            for stage in [Stage.staging, .production] {
                try await timed(.stage) {
                    _ = try await client.transition(
                        model, number, to: stage, archiveExisting: true)
                }
            }
            try await timed(.alias) {
                try await client.setAlias("champion", of: model, to: number)
            }
            for uri in [
                ModelURI.version(name: model, version: number),
                .stage(name: model, stage: .production), .alias(name: model, alias: "champion"),
            ] {
                try await timed(.lookup) { _ = try await client.resolve(uri) }
            }
        }
        if !keep { try await delete(model, client) }
        await client.close()
        return latencies
    }

    private func delete(_ model: String, _ client: LinajeClient) async throws {
        do {
            try await client.deleteRegisteredModel(model)
        } catch let error as LinajeError where error.code == .permissionDenied {
            Output.note("model \(model) stays: \(error.message)")
        }
    }
}

/// What is measured.
private enum RegistryOperation: String, CaseIterable, Sendable {
    case create, register, stage, alias, lookup
}

/// What agents found together.
private struct RegistryResult: Sendable {
    let latencies: [RegistryOperation: Latencies]
    let elapsed: Duration

    /// All but look-ups.
    var changes: Latencies {
        var all = Latencies()
        for (operation, latencies) in latencies where operation != .lookup { all.add(latencies) }
        return all
    }
}
