import LinajeDomain
import LinajeWire
import Testing

@Suite("Encoding of a page of runs")
struct RunPageEncodingTests {
    @Test("a page put together from labels is the message made of the whole runs")
    func sameAsMessage() throws {
        var page = RunPageEncoding()
        var expected = Linaje_V1_SearchRunsResponse()
        let labels = Self.labels(of: Self.runs)
        for (number, run) in Self.runs.enumerated() {
            var bare = run
            (bare.tags, bare.params, bare.metrics) = ([], [], [])
            try page.add(bare, labels: labels.entry(run: number))
            expected.runs.append(Linaje_V1_Run(run))
        }
        var rest = Linaje_V1_SearchRunsResponse()
        rest.nextPageToken = "abc"
        expected.nextPageToken = "abc"
        let bytes = try page.end(rest)
        let read = try Linaje_V1_SearchRunsResponse(payload: bytes)
        #expect(read.runs.count == Self.runs.count)
        #expect(try read.payload() == expected.payload())
        #expect(Linaje_V1_SearchRunsResponse.nextPageToken(in: bytes) == "abc")
    }

    @Test("a text that is damaged is mended, so that the rest of the page can be read")
    func damagedText() throws {
        var labels = EncodedRunLabels(runs: 1)
        let damaged: [UInt8] = [0x61, 0xFF, 0x62]
        damaged.withUnsafeBytes { text in
            labels.add(tag: text, text, run: 0)
            labels.add(param: text, text: text, run: 0)
            labels.add(metric: text, value: 1, step: 2, time: 3, run: 0)
        }
        var page = RunPageEncoding()
        try page.add(Self.runs[0], labels: labels.entry(run: 0))
        let read = try Linaje_V1_SearchRunsResponse(
            payload: page.end(Linaje_V1_SearchRunsResponse()))
        let run = try #require(read.runs.first)
        #expect(run.tags.map(\.value) == ["a\u{FFFD}b"])
        #expect(run.params.map(\.stringValue) == ["a\u{FFFD}b"])
        #expect(run.metrics.names == ["a\u{FFFD}b"])
    }

    @Test("the token is found in an answer that says it, and nothing else makes trouble")
    func token() throws {
        var answer = Linaje_V1_SearchRunsResponse()
        #expect(Linaje_V1_SearchRunsResponse.nextPageToken(in: try answer.payload()) == "")
        answer.runs = Self.runs.map(Linaje_V1_Run.init)
        answer.nextPageToken = String(repeating: "0123456789abcdef", count: 40)
        answer.facts.count = 7
        let bytes = try answer.payload()
        #expect(Linaje_V1_SearchRunsResponse.nextPageToken(in: bytes) == answer.nextPageToken)
        var random = SeededGenerator(seed: 5)
        for count in 0..<bytes.count {
            _ = Linaje_V1_SearchRunsResponse.nextPageToken(in: Array(bytes.prefix(count)))
            _ = Linaje_V1_SearchRunsResponse.nextPageToken(in: random.bytes(count % 40))
        }
        // A length that no memory has.
        let absurd: [UInt8] = [0x12] + Array(repeating: 0xFF, count: 9) + [0x01, 0x61]
        #expect(Linaje_V1_SearchRunsResponse.nextPageToken(in: absurd) == "")
    }

    private static let runs: [Run] = {
        let time = Timestamp(microseconds: 1_700_000_000_000_000)
        let id = RunID(bytes: Bytes16(high: 3, low: .max))
        let bare = Run(id: id, experimentID: 0, name: "", startedAt: time)
        var full = Run(
            id: id, experimentID: -1, name: "naïve", status: .failed, user: "ada",
            principal: "uid:1", parentID: id, startedAt: time, endedAt: time,
            endedCause: String(repeating: "out of memory ", count: 20))
        full.tags = [
            Tag(key: "empty", value: ""), Tag(key: "ключ", value: "\u{1F600}"),
            Tag(key: "long", value: String(repeating: "x", count: 100_000)),
        ]
        full.params = [
            Param(key: "text", value: .string("")), Param(key: "more", value: .string("0.1")),
            Param(key: "ü", value: .int(-3)), Param(key: "zero", value: .double(-0.0)),
            Param(key: "nan", value: .double(.nan)), Param(key: "true", value: .bool(true)),
            Param(key: "false", value: .bool(false)),
        ]
        // Around each length of a varint.
        for shift in 0..<63 {
            let power = Int64(1) << Int64(shift)
            full.params.append(Param(key: "up \(shift)", value: .int(power)))
            full.params.append(Param(key: "down \(shift)", value: .int(-power - 1)))
        }
        for number in Int64(0)..<300 {
            let value = number == 7 ? Double.nan : Double(number) - 0.5
            full.metrics.append(
                RunMetric(
                    key: "metric \(number)", value: value, step: number - 1,
                    time: Int64.min + number))
        }
        var one = bare
        one.metrics = [RunMetric(key: "потери", value: .infinity, step: .max, time: .max)]
        return [bare, full, one, bare]
    }()

    /// Kind by kind, as a database hands them out.
    private static func labels(of runs: [Run]) -> EncodedRunLabels {
        var labels = EncodedRunLabels(runs: runs.count)
        func lend(_ text: String, _ body: (UnsafeRawBufferPointer) -> Void) {
            Array(text.utf8).withUnsafeBytes(body)
        }
        for (number, run) in runs.enumerated() {
            for tag in run.tags {
                lend(tag.key) { key in
                    lend(tag.value) { labels.add(tag: key, $0, run: number) }
                }
            }
        }
        for (number, run) in runs.enumerated() {
            for param in run.params {
                lend(param.key) { labels.add(param: $0, param.value, run: number) }
            }
        }
        for (number, run) in runs.enumerated() {
            for metric in run.metrics {
                lend(metric.key) {
                    labels.add(
                        metric: $0, value: metric.value, step: metric.step, time: metric.time,
                        run: number)
                }
            }
        }
        return labels
    }
}
