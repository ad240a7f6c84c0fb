import Benchmark
import LinajeDomain
import LinajeWire

/// A batch as a training script sends it.
private let columns = MetricColumns(
    steps: (0..<1_000).map { Int64($0) },
    times: (0..<1_000).map { 1_700_000_000_000_000 + Int64($0) * 1_000 },
    values: (0..<1_000).map { Double($0) / 7 })
private let encoding = MetricBatchEncoding([MetricSeries(key: "train/loss")])
private let header = FrameHeader(length: 24_064, stream: 7, type: .data)

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock], scalingFactor: .kilo, maxDuration: .seconds(2),
        // The machines are shared: up to twice as long is still noise.
        thresholds: [.wallClock: .init(relative: [.p90: 100])])

    Benchmark("frame-header.write") { benchmark in
        for _ in benchmark.scaledIterations {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(FrameHeader.size)
            header.write(to: &bytes)
            blackHole(bytes)
        }
    }

    Benchmark("frame-header.parse") { benchmark in
        var bytes: [UInt8] = []
        header.write(to: &bytes)
        for _ in benchmark.scaledIterations {
            blackHole(try bytes.withUnsafeBytes { try FrameHeader(parsing: $0) })
        }
    }

    Benchmark("connection-rules.one-data-frame") { benchmark in
        var machine = ServerConnectionStateMachine()
        _ = try machine.receive(FrameHeader(length: 0, stream: 0, type: .hello), payload: [])
        machine.grantConnection(Int.max / 4)
        let request = FrameHeader(length: 2, stream: 1, type: .request, opcode: 0x0401)
        _ = try machine.receive(request, payload: [0, 0])
        let payload = [UInt8](repeating: 7, count: 64)
        let data = FrameHeader(length: payload.count, stream: 1, type: .data)
        for _ in benchmark.scaledIterations {
            blackHole(try machine.receive(data, payload: payload))
            _ = machine.grant(payload.count, stream: 1)
        }
    }

    Benchmark("metric-batch-of-1000-points.encode", configuration: .init(scalingFactor: .one)) {
        benchmark in
        for _ in benchmark.scaledIterations {
            blackHole(encoding.encode(sequence: 1, columns: columns))
        }
    }

    Benchmark("metric-batch-of-1000-points.decode", configuration: .init(scalingFactor: .one)) {
        benchmark in
        let bytes = encoding.encode(sequence: 1, columns: columns)
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            blackHole(try MetricBatch(try Linaje_V1_MetricBatch(payload: bytes)))
        }
    }
}
