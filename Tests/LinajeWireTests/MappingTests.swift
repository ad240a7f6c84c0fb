import FoundationEssentials
import LinajeDomain
import LinajeWire
import Testing

@Suite("Mapping")
struct MappingTests {
    private func code(_ body: () throws -> Void) -> LinajeError.Code? {
        do {
            try body()
            return nil
        } catch let error as LinajeError {
            return error.code
        } catch {
            return nil
        }
    }

    @Test("every value is the same after it has travelled", arguments: MappingSamples.all)
    func roundTrip(sample: MappingSample) throws {
        #expect(try sample.survives())
    }

    @Test("a message cut at any byte is read or refused", arguments: MappingSamples.all)
    func torn(sample: MappingSample) throws {
        let bytes = try sample.bytes()
        for end in 0..<bytes.count { try? sample.decode(Array(bytes[..<end])) }
        try sample.decode(bytes)
    }

    @Test("garbage is read or refused with an error, never a trap", arguments: MappingSamples.all)
    func garbage(sample: MappingSample) throws {
        let bytes = try sample.bytes()
        for seed in UInt64(1)...100 {
            var generator = SeededGenerator(seed: seed)
            try? sample.decode(generator.bytes(Int(generator.next() % 64)))
            var changed = bytes
            for _ in 0...(generator.next() % 4) where !changed.isEmpty {
                changed[Int(generator.next() % UInt64(changed.count))] =
                    UInt8(truncatingIfNeeded: generator.next())
            }
            try? sample.decode(changed)
        }
    }

    @Test("a verdict that nobody knows is refused, a role is other")
    func newWords() throws {
        var message = Linaje_V1_ModelDescription()
        message.verdict = "harmless"
        #expect(code { _ = try ModelDescription(message) } == .invalidArgument)
        message.verdict = ""
        var file = Linaje_V1_ModelFile()
        file.role = "dynamo"
        message.files = [file]
        #expect(
            try ModelDescription(message)
                == ModelDescription(files: [ModelFileDescription(path: "", role: .other)]))
    }

    @Test("metrics of a run whose columns differ in length are refused")
    func metricColumns() throws {
        let metrics = [RunMetric(key: "loss", value: .infinity, step: 3, time: 5)]
        let whole = Linaje_V1_RunMetrics(metrics)
        #expect(try [RunMetric](whole) == metrics)
        let cuts: [(inout Linaje_V1_RunMetrics) -> Void] = [
            { $0.names = [] }, { $0.value = [] }, { $0.step = [] }, { $0.timeUs.append(1) },
        ]
        for cut in cuts {
            var message = whole
            cut(&message)
            #expect(code { _ = try [RunMetric](message) } == .badMessage)
        }
    }

    @Test("an enum value that is not given or not known is an error that names the field")
    func unknownEnums() {
        #expect(code { _ = try RunStatus(.unspecified) } == .invalidArgument)
        #expect(code { _ = try RunStatus(.UNRECOGNIZED(99)) } == .invalidArgument)
        #expect(code { _ = try Stage(.unspecified) } == .invalidArgument)
        #expect(code { _ = try Stage(.UNRECOGNIZED(-1)) } == .invalidArgument)
        #expect(code { _ = try Lifecycle(.any) } == .invalidArgument)
        #expect(code { _ = try Lifecycle(.UNRECOGNIZED(9)) } == .invalidArgument)
        #expect(code { _ = try LoggedModelStatus(.UNRECOGNIZED(9)) } == .invalidArgument)
        #expect(code { _ = try Linaje_V1_Lifecycle.UNRECOGNIZED(9).filter() } == .invalidArgument)
        var lease = Linaje_V1_Lease()
        lease.kind = .UNRECOGNIZED(9)
        let error = #expect(throws: LinajeError.self) { try Lease(lease) }
        #expect(error?.message.contains("lease.kind 9") == true)
    }

    @Test("a search without a lifecycle means active ones, and ANY means both")
    func lifecycleFilter() throws {
        #expect(try Linaje_V1_Lifecycle.unspecified.filter() == .active)
        #expect(try Linaje_V1_Lifecycle.deleted.filter() == .deleted)
        #expect(try Linaje_V1_Lifecycle.any.filter() == nil)
        #expect(Linaje_V1_Lifecycle(filter: nil) == .any)
    }

    @Test("an optional id is empty or has 16 bytes", arguments: [0, 1, 15, 16, 17, 32])
    func optionalIDs(count: Int) {
        let bytes = Data(repeating: 7, count: count)
        let found = try? RunID.orNil(bytes)
        #expect((count == 0 || count == 16) == (code { _ = try RunID.orNil(bytes) } == nil))
        #expect(found == (count == 16 ? try? RunID(bytes) : nil))
    }

    @Test("a range whose first bound is past its last is refused, half a range is whole")
    func ranges() throws {
        var request = Linaje_V1_GetMetricHistoryRequest()
        request.firstStep = 5
        #expect(try MetricQuery(request).steps == 5...Int64.max)
        request.lastStep = 4
        #expect(code { _ = try MetricQuery(request) } == .invalidArgument)
        request.clearFirstStep()
        #expect(try MetricQuery(request).steps == Int64.min...4)
        request.clearLastStep()
        #expect(try MetricQuery(request).steps == nil)
    }

    @Test("a list longer than one call may carry is refused")
    func longLists() {
        var changes = Linaje_V1_TagChanges()
        changes.remove = (0...Limits.itemsPerCall).map { "k\($0)" }
        #expect(code { _ = try TagChanges(changes) } == .limitExceeded)
    }

    @Test("a tag cannot be set and removed at once")
    func contradictoryTags() {
        var changes = Linaje_V1_TagChanges()
        changes.set = [Linaje_V1_Tag(Tag(key: "k", value: "v"))]
        changes.remove = ["k"]
        #expect(code { _ = try TagChanges(changes) } == .invalidArgument)
    }

    @Test("columns of a batch that do not fit together are refused")
    func batches() throws {
        var message = Linaje_V1_MetricBatch()
        message.sequence = 1
        message.series = [Linaje_V1_Series(MetricSeries(key: "k"))]
        message.step = [1, 2]
        message.timeUs = [1, 2]
        message.value = [1]
        #expect(code { _ = try MetricBatch(message) } == .invalidArgument)
        message.value = [1, 2]
        #expect(code { _ = try MetricBatch(message) } == nil)
        message.seriesIndex = [0, 1]
        #expect(code { _ = try MetricBatch(message) } == .invalidArgument)
        message.seriesIndex = [0, 0]
        #expect(code { _ = try MetricBatch(message) } == nil)
        message.series[0].key = String(repeating: "k", count: Limits.keyBytes + 1)
        #expect(code { _ = try MetricBatch(message) } == .limitExceeded)
    }

    @Test("a batch straight from its columns is the message's own encoding")
    func batchEncoding() throws {
        for seed in UInt64(1)...50 {
            var generator = SeededGenerator(seed: seed)
            let count = Int(generator.next() % 300) + 1
            let series = (0..<Int(generator.next() % 4 + 1)).map {
                MetricSeries(
                    key: "key \($0)", modelID: $0 == 1 ? .random() : nil,
                    datasetName: $0 == 2 ? "data" : "", datasetDigest: $0 == 3 ? "abc" : "")
            }
            let columns = MetricColumns(
                steps: (0..<count).map { _ in Int64(bitPattern: generator.next()) },
                times: (0..<count).map { _ in Int64(bitPattern: generator.next()) },
                values: (0..<count).map { _ in Double(bitPattern: generator.next()) })
            let index =
                series.count == 1
                ? []
                : (0..<count).map { _ in
                    UInt32(truncatingIfNeeded: generator.next()) % UInt32(series.count)
                }
            let batch = try MetricBatch(
                sequence: generator.next() >> 1 | 1, series: series, seriesIndex: index,
                columns: columns)
            let encoded = MetricBatchEncoding(series).encode(
                sequence: batch.sequence, seriesIndex: index, columns: columns)
            #expect(try encoded == Linaje_V1_MetricBatch(batch).payload(), "seed \(seed)")
        }
    }
}
