import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Testing

@testable import LinajeCatalog

@Suite("Lists of metrics")
struct MetricListTests {
    @Test("a list holds what was put into it, by key")
    func roundTrip() throws {
        let metrics = [
            RunMetric(key: "ü", value: .nan, step: .max, time: .min),
            RunMetric(key: "", value: -.infinity, step: -1, time: 0),
            RunMetric(key: String(repeating: "k", count: 250), value: -0.0, step: 0, time: 1),
        ]
        let read = try #require(Self.read(MetricList.encode(metrics)))
        #expect(read.map(\.key) == [metrics[1].key, metrics[2].key, metrics[0].key])
        #expect(read[0] == metrics[1])
        #expect(read[1].value.bitPattern == metrics[2].value.bitPattern)
        #expect(read[2].value.isNaN && read[2].step == .max && read[2].time == .min)
        #expect(Self.read([])?.isEmpty ?? false)
    }

    @Test("a list that is cut is none, and lends nothing")
    func cut() {
        let bytes = MetricList.encode([
            RunMetric(key: "loss", value: 1, step: 2, time: 3),
            RunMetric(key: "accuracy", value: 1, step: 2, time: 3),
        ])
        let whole = (0...bytes.count).filter { Self.read(Array(bytes.prefix($0))) != nil }
        // Between the two it ends as a list does.
        #expect(whole == [0, 2 + 8 + 24, bytes.count])
    }

    @Test("lists show what is in the index, whether a list is kept of it or not")
    func shown() async throws {
        try await CatalogFixture.with { fixture in
            func index(_ metrics: [RunMetric], isWhole: Bool) async throws {
                try await fixture.change {
                    try $0.index(
                        OwnedMetrics(owner: .run(.of(1)), metrics: metrics, isWhole: isWhole))
                }
            }
            func shown() async throws -> [RunMetric] {
                try await fixture.store.search(RunQuery(page: Page())).elements[0].metrics
            }
            try await fixture.change {
                _ = try $0.createRun(NewRun(id: .of(1), experimentID: 0))
            }
            let first = RunMetric(key: "a", value: 1, step: 1, time: 1)
            var second = RunMetric(key: "b", value: 2, step: 1, time: 1)
            try await index([second, first], isWhole: true)
            #expect(try await shown() == [first, second])
            second.value = 3
            try await index([second], isWhole: false)
            #expect(try await shown() == [first, second])
            let many = (0...MetricList.mostMetrics).map {
                RunMetric(key: "m \(1_000 + $0)", value: 0, step: 0, time: 0)
            }
            try await index([first, second] + many, isWhole: true)
            #expect(try await shown() == [first, second] + many)
            // A list that is damaged is as none.
            try await index([first, second], isWhole: true)
            try await fixture.backend.write { connection in
                _ = try connection.execute(
                    "UPDATE run_metric_lists SET metrics = ?", [.blob([1, 2, 3])])
            }
            #expect(try await shown() == [first, second] + many)
        }
    }

    private static func read(_ bytes: [UInt8]) -> [RunMetric]? {
        var metrics: [RunMetric] = []
        let isList = bytes.withUnsafeBytes { bytes in
            MetricList.read(bytes) { key, value, step, time in
                metrics.append(
                    RunMetric(
                        key: String(decoding: key, as: UTF8.self), value: value, step: step,
                        time: time))
            }
        }
        guard isList else {
            #expect(metrics.isEmpty)
            return nil
        }
        return metrics
    }
}
