import LinajeClient
import LinajeDomain
import Testing

@testable import LinajeCommands

@Suite("Files of points")
struct PointFileTests {
    /// A file as `metric export` writes it, and the points in it.
    private func file(
        _ format: PointFormat, seed: UInt64
    ) throws -> (bytes: [UInt8], rows: [PointRow]) {
        var generator = PointGenerator(state: seed)
        let writer = PointWriter(format, hasSubjects: true)
        var bytes = writer.header
        var rows: [PointRow] = []
        let keys = ["loss", "a,b", "say \"x\"", "größe/µ", "'", " edge ", "\\", "1"]
        let special: [Double] = [
            0, -0.0, .infinity, -.infinity, .leastNonzeroMagnitude, -Double(bitPattern: 10_000),
            .greatestFiniteMagnitude, 0.1, 1.0 / 3, 1e21, 123456789012345680,
        ]
        for number in 0..<12 {
            let run = RunID(bytes: Bytes16(high: seed, low: UInt64(number / 3)))
            var series = MetricSeries(key: keys.randomElement(using: &generator) ?? "")
            if number % 2 == 1 {
                series.modelID = LoggedModelID(bytes: Bytes16(high: 7, low: generator.next()))
                series.datasetName = "mnist, \"train\""
                series.datasetDigest = "abc"
            }
            var columns = MetricColumns()
            for _ in 0..<Int.random(in: 1...20, using: &generator) {
                let random = Double(bitPattern: generator.next())
                let value =
                    Bool.random(using: &generator)
                    ? special.randomElement(using: &generator) ?? 0 : random.isNaN ? .nan : random
                columns.append(
                    MetricPoint(
                        step: [.min, -1, 0, 7, .max].randomElement(using: &generator) ?? 0,
                        time: [.min, 1_700_000_000_000_001, .max]
                            .randomElement(using: &generator) ?? 0, value: value))
            }
            let chunk = MetricChunk(series: series, columns: columns, missed: 0)
            bytes += writer.lines(chunk, of: run)
            rows += (0..<columns.count).map {
                PointRow(run: run, series: series, point: columns[$0])
            }
        }
        return (bytes, rows)
    }

    private func read(
        _ bytes: [UInt8], _ format: PointFormat, cut: Int = .max
    ) throws -> [PointRow] {
        var reader = PointReader(format)
        var rows: [PointRow] = []
        var place = 0
        while place < bytes.count {
            let end = cut < bytes.count - place ? place + cut : bytes.count
            try reader.take(Array(bytes[place..<end])) { rows.append($0) }
            place = end
        }
        try reader.finish { rows.append($0) }
        return rows
    }

    /// With the bits of the value, which tell -0.0 and make NaN equal.
    private func exact(_ rows: [PointRow]) -> [String] {
        rows.map {
            let value = $0.point.value
            let bits = value.isNaN ? "NaN" : String(value.bitPattern, radix: 16)
            return "\($0.run, default: "-") \($0.series) \($0.point.step) \($0.point.time) \(bits)"
        }
    }

    @Test(
        "what is written is read, bit for bit, however its bytes come",
        arguments: [PointFormat.csv, .jsonl], [1, 2, 3, 4, 5, 6])
    func roundTrip(format: PointFormat, seed: Int) throws {
        let (bytes, rows) = try file(format, seed: UInt64(seed))
        for cut in [1, 2, 7, 100, Int.max] {
            #expect(exact(try read(bytes, format, cut: cut)) == exact(rows), "pieces of \(cut)")
        }
    }

    @Test(
        "a file that is cut anywhere gives its whole points, or says what is wrong and where",
        arguments: [PointFormat.csv, .jsonl])
    func torn(format: PointFormat) throws {
        let (bytes, rows) = try file(format, seed: 9)
        let all = exact(rows)
        for end in stride(from: 0, to: min(bytes.count, 4_000), by: 3) {
            do {
                let found = exact(try read(Array(bytes[..<end]), format))
                // A number at the very end may lack digits that nobody can miss.
                let whole = max(0, found.count - 1)
                #expect(found.count <= all.count && found[..<whole] == all[..<whole])
            } catch let error as LinajeError {
                #expect(error.code == .invalidArgument && error.message.hasPrefix("line "))
            }
        }
    }

    @Test("columns may stand in any order, some be missing, lines end like anywhere")
    func variants() throws {
        let point = MetricPoint(step: 3, time: 5, value: 0.5)
        let row = PointRow(run: nil, series: MetricSeries(key: "loss"), point: point)
        for text in [
            "key,step,timestamp,value\nloss,3,5,0.5\n", "value,step,key,time_us\r\n0.5,3,loss,5",
            "\u{FEFF}key,step,timestamp,value\n\nloss,3,5,0.5\n\n",
            "\"key\",\"step\",\"timestamp\",\"value\"\r\n\"loss\",\"3\",\"5\",\"0.5\"\r\n",
            "key,step,timestamp,value,run_id\nloss,3,5,+5e-1,\n",
        ] { #expect(try read(Array(text.utf8), .csv) == [row], "\(text)") }
        for text in [
            #"{"key": "loss", "step": 3, "time_us": 5, "value": 0.5}"#,
            "\n {\"value\":5e-1,\"timestamp\":5,\"key\":\"loss\",\"step\":3,\"run_id\":null}\r\n\n",
        ] { #expect(try read(Array(text.utf8), .jsonl) == [row], "\(text)") }
    }

    @Test(
        "what is wrong is named with its line and column",
        arguments: [
            ("", 1, 1), ("key,step,value\n", 1, 1), ("key,step,timestamp,value,note\n", 1, 26),
            ("key,key,step,timestamp,value\n", 1, 5),
            ("key,step,timestamp,value\nloss,3,5\n", 2, 8),
            ("key,step,timestamp,value\nloss,x,5,1\n", 2, 6),
            ("key,step,timestamp,value\nloss,3,5,1\nloss,3,5.5,1\n", 3, 8),
            ("key,step,timestamp,value\ngröße,3,5,much\n", 2, 11),
            ("key,step,timestamp,value\nloss,3,5,1e400\n", 2, 10),
            ("key,step,timestamp,value\nloss,3,5,\n", 2, 10),
            ("key,step,timestamp,value\n,3,5,1\n", 2, 1),
            ("key,step,timestamp,value\n\"lo\nss\",3,5,1\n", 2, 1),
            ("key,step,timestamp,value\n\"loss\"x,3,5,1\n", 2, 7),
            ("key,step,timestamp,value\n\n\"loss,3,5,1\n", 3, 1),
            ("run_id,key,step,timestamp,value\nxyz,loss,3,5,1\n", 2, 1),
            ("key,step,timestamp,value,model_id\nloss,3,5,1,forest\n", 2, 12),
            ("{\"key\":\"loss\",\"step\":3,\"value\":1}", 1, 1),
            ("\n{\"key\":\"loss\",\"step\":3,\"timestamp\":5,\"value\":\"1\"", 2, 49),
            ("{\"key\":\"loss\",\"step\":\"3\",\"timestamp\":5,\"value\":1}", 1, 0),
            ("{\"key\":\"loss\",\"step\":3,\"timestamp\":5,\"value\":true}", 1, 46),
            ("{\"key\":\"loss\",\"note\":3,\"step\":3,\"timestamp\":5,\"value\":1}", 1, 22),
            ("{\"key\":\"loss\",\"step\":3,\"timestamp\":5,\"value\":[1]}", 1, 46),
            ("{\"key\":\"lo", 1, 11),
        ] as [(String, Int, Int)])
    func wrong(text: String, line: Int, column: Int) throws {
        let format = PointFormat(beginning: Array(text.utf8))
        // A whole number may stand in quotes: what it is, is clear.
        guard column > 0 else {
            #expect(try read(Array(text.utf8), format).map(\.point.step) == [3])
            return
        }
        let error = #expect(throws: LinajeError.self) { try read(Array(text.utf8), format) }
        let place = "line \(line), column \(column): "
        #expect(error?.message.hasPrefix(place) == true, "\(String(describing: error))")
    }

    @Test("a row without end takes no memory without end")
    func bound() {
        var reader = PointReader(.csv)
        #expect(throws: LinajeError.self) {
            for _ in 0..<100 {
                try reader.take([UInt8](repeating: UInt8(ascii: "x"), count: 1_000)) { _ in }
            }
        }
    }
}

/// SplitMix64.
private struct PointGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
