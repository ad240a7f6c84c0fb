import LinajeDomain
import LinajePluginKit
import NIOHTTP1
import Testing

@testable import LinajeCommands

/// An engine whose prediction is the sum of a row; rows that begin with 13 it refuses.
struct AddingEngine: ScoringEngine {
    static let layout = ScorerLayout(
        features: ["a", "b"], hasNames: true, outputs: [ScorerOutput(kind: .float64)])

    /// Most rows that it takes.
    var mostRows = Int.max
    let about = "adding"
    let takesNumbers = true
    let takesWholeFiles = false

    func plan(columns: [String]?, count: Int) throws -> ColumnPlan? {
        try ColumnPlan(layout: Self.layout, schema: nil, columns: columns, count: count)
    }

    func score(_ batch: ScoringBatch, params: JSONNode?) async throws -> Predictions {
        guard case .numbers(let rows) = batch else {
            throw LinajeError(.internalError, "no numbers")
        }
        let sums = try stride(from: 0, to: rows.count, by: 2).map { row in
            if rows[row] == 13 { throw LinajeError(.pluginFailed, "the process crashed") }
            if rows[row] == 14 { throw LinajeError(.unavailable, "it rests") }
            return rows[row] + rows[row + 1]
        }
        return .scored(try ScoredOutput(nil, of: Self.layout, values: sums))
    }

    func shutdown() async {}
}

@Suite("Routes of the scoring server")
struct ScoringRoutesTests {
    private func ask(
        _ method: HTTPMethod, _ uri: String, _ body: String = "",
        type: String? = "application/json"
    ) async -> (status: UInt, body: String) {
        let answer = await ScoringRoutes.answer(
            method, uri, type: type, body: Array(body.utf8), AddingEngine())
        return (answer.status.code, String(decoding: answer.body, as: UTF8.self))
    }

    @Test("every form of rows, in JSON and CSV, gets its predictions")
    func predictions() async {
        for body in [
            #"{"dataframe_split": {"columns": ["b", "a"], "data": [[2, 1], [0.5, null]]}}"#,
            #"{"dataframe_records": [{"a": 1, "b": 2}, {"b": 0.5}]}"#,
            #"{"instances": [[1, 2], [NaN, 0.5]]}"#,
            #"{"inputs": {"a": [1, null], "b": [2, 0.5]}}"#,
        ] {
            let answer = await ask(.POST, "/invocations", body)
            #expect(answer.status == 200)
            #expect(answer.body == #"{"predictions": [3.0, null]}"#, "\(body)")
        }
        let answer = await ask(
            .POST, "/invocations?x=1", "b,c,a\n2,,1\n", type: "text/csv; charset=UTF-8")
        #expect(answer.body == #"{"predictions": [3.0]}"#)
        let none = await ask(
            .POST, "/invocations", #"{"dataframe_split": {"columns": ["a", "b"], "data": []}}"#)
        #expect(none.body == #"{"predictions": []}"#)
    }

    @Test("what is wrong has MLflow's form, and a status that says whose fault it is")
    func failures() async {
        for (body, status, code, part) in [
            ("{", 400, "BAD_REQUEST", "JSON"),
            (#"{"inputs": [[1]]}"#, 400, "BAD_REQUEST", "1 columns"),
            (#"{"inputs": [[1, "x"]]}"#, 400, "BAD_REQUEST", "row 1"),
            (#"{"inputs": [[[1]]]}"#, 500, "INTERNAL_ERROR", "no numbers"),
            (#"{"inputs": [[13, 1]]}"#, 500, "INTERNAL_ERROR", "crashed"),
            (#"{"inputs": [[14, 1]]}"#, 503, "TEMPORARILY_UNAVAILABLE", "rests"),
        ] as [(String, UInt, String, String)] {
            let answer = await ask(.POST, "/invocations", body)
            #expect(answer.status == status, "\(body)")
            #expect(answer.body.hasPrefix("{\"error_code\":\"\(code)\",\"message\":\""), "\(body)")
            #expect(answer.body.contains(part), "\(body): \(answer.body)")
        }
        for type in ["text/plain", nil, "application/json; charset=latin-1", "text/csvx"] {
            #expect(await ask(.POST, "/invocations", "{}", type: type).status == 415)
        }
    }

    @Test("more rows than may be answered are refused before any is scored; answers are bounded")
    func bounds() async throws {
        let engine = AddingEngine(mostRows: 2)
        for (type, start, row, end) in [
            ("application/json", "{\"inputs\": [[1, 2]", ", [13, 4]", "]}"),
            ("text/csv", "a,b\n1,2\n", "13,4\n", ""),
        ] {
            for (count, status) in [(0, 200), (2, 400)] as [(Int, UInt)] {
                let body = start + String(repeating: row, count: count) + end
                let answer = await ScoringRoutes.answer(
                    .POST, "/invocations", type: type, body: Array(body.utf8), engine)
                #expect(answer.status.code == status, "\(body)")
                let text = String(decoding: answer.body, as: UTF8.self)
                #expect(text.contains("send fewer rows") == (count > 0), "\(text)")
            }
        }
        let sums = Predictions.scored(
            try ScoredOutput(nil, of: AddingEngine.layout, values: [1, 2, 3]))
        let whole = try ScoringAnswer.predictions(sums).body.count
        for predictions in [sums, .answered(.array([.double(1), .double(2), .double(3)]))] {
            _ = try ScoringAnswer.predictions(predictions, mostBytes: whole)
            let error = #expect(throws: LinajeError.self) {
                try ScoringAnswer.predictions(predictions, mostBytes: 20)
            }
            #expect(error?.code == .limitExceeded)
        }
    }

    @Test("a CSV file is cut into batches that the engine takes, whatever it gives for a row")
    func batches() throws {
        let rows = 5_000
        let text = Array(("a,b\n" + String(repeating: "1,2\n", count: rows)).utf8)
        for mostRows in [256, 300, 1_000, .max] {
            var batches = CSVBatches(AddingEngine(mostRows: mostRows))
            var (rest, taken) = (text[...], 0)
            while !rest.isEmpty {
                if batches.isFull {
                    taken += batches.waiting
                    _ = batches.next()
                }
                let piece = rest.prefix(batches.pieceBytes)
                rest = rest.dropFirst(piece.count)
                try batches.take(piece)
                #expect(batches.waiting <= mostRows)
            }
            try batches.finish()
            #expect(taken + batches.waiting == rows)
        }
        // What is missing in each row counts, too.
        let schema = [
            InputSchema.Column(name: "a", type: .double, isRequired: true),
            InputSchema.Column(name: "b", type: .double, isRequired: false),
        ]
        let plan = try ColumnPlan(
            layout: AddingEngine.layout, schema: .columns(schema), columns: ["a"], count: 1)
        #expect(plan.missing == 1)
        #expect(AddingEngine().mostRows(plan) == ScorerLayout.mostValues)
    }

    @Test("ping, health and version answer, other methods and paths do not")
    func others() async {
        #expect(await ask(.GET, "/ping") == (200, "\n"))
        #expect(await ask(.HEAD, "/health") == (200, "\n"))
        #expect(await ask(.GET, "/version") == (200, LinajeProgram.version))
        #expect(await ask(.DELETE, "/ping").status == 405)
        #expect(await ask(.GET, "/invocations").status == 405)
        #expect(await ask(.GET, "/../etc/passwd").status == 404)
    }

    @Test("a Host header names this server by an address or a name that is known")
    func hosts() {
        let state = ScoringServerState(
            .init(host: "Scores.Local", port: 0, socket: nil, bodyBytes: 1, names: ["other"]))
        for host in [
            "localhost", "localhost:5001", "127.0.0.1:80", "[::1]:5001", "10.0.0.7",
            "scores.local:1", "OTHER",
        ] {
            #expect(state.isOurs(host), "\(host)")
        }
        for host in [nil, "", "evil.example", "localhost.evil.example:5001", "127.0.0.1.evil"] {
            #expect(!state.isOurs(host), "\(host ?? "none")")
        }
    }

    @Test("bodies in memory are counted, and no more are let in than may be")
    func bodies() {
        let state = ScoringServerState(
            .init(host: "localhost", port: 0, socket: nil, bodyBytes: 200 << 20, names: []))
        #expect(state.take(300 << 20))
        #expect(!state.take(101 << 20))
        #expect(state.take(100 << 20))
        state.giveBack(300 << 20)
        #expect(state.take(101 << 20))
    }
}
