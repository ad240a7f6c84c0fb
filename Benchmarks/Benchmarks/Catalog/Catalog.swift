import Benchmark
import Foundation
import LinajeCatalog
import LinajeDomain
import SQLiteBackend

private struct StandingClock: WallClock {
    func now() -> Timestamp { Timestamp(microseconds: 1_700_000_000_000_000) }
}

/// A catalog with 5,000 runs on a real SQLite file: every tenth one is of the team, every hundredth
/// has failed.
private func catalog(_ path: String) async throws -> (CatalogStore, SQLiteBackend) {
    let backend = try SQLiteBackend(path: path)
    let store = CatalogStore(backend: backend, clock: StandingClock())
    try await store.prepare()
    let principal = Principal(name: "uid:0", role: .admin)
    try await store.change(.untracked(by: principal)) { catalog in
        for number in 0..<5_000 {
            _ = try catalog.createRun(
                NewRun(
                    experimentID: ExperimentID(0), name: "run-\(number)",
                    tags: [
                        Tag(key: "team", value: number % 10 == 0 ? "fraud" : "other"),
                        Tag(key: "number", value: "\(number)"),
                    ],
                    params: [Param(key: "lr", value: .double(Double(number)))]))
        }
    }
    return (store, backend)
}

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock], maxDuration: .seconds(2),
        // The machines are shared: up to twice as long is still noise.
        thresholds: [.wallClock: .init(relative: [.p90: 100])])

    let queries: [(name: String, tags: [Tag])] = [
        ("all", []), ("with-a-common-tag", [Tag(key: "team", value: "fraud")]),
        ("with-a-rare-tag", [Tag(key: "number", value: "4321")]),
    ]
    for (name, tags) in queries {
        Benchmark("search.a-page-of-100-of-5000-runs-\(name)") { benchmark in
            let path = FileManager.default.temporaryDirectory
                .appendingPathComponent("linaje-benchmark-\(UUID().uuidString).db").path
            defer { for end in ["", "-wal", "-shm"] { unlink(path + end) } }
            let (store, backend) = try await catalog(path)
            let query = RunQuery(tags: tags, page: try Page(limit: 100))
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                blackHole(try await store.read { try $0.runs(query) })
            }
            benchmark.stopMeasurement()
            try await backend.close()
        }
    }
}
