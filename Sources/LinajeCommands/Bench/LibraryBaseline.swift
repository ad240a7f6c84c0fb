import FoundationEssentials
import LinajeDomain

/// A library of boosted trees in a Python process of its own: it makes the model and the rows, and
/// scores them with one thread when it is told to.
struct LibraryBaseline: Sendable {
    /// The version of the library.
    let version: String
    private let pipe: WorkerPipe

    /// Makes `model/`, and `rows`, doubles row after row, in a folder.
    static func start(_ bench: BenchPredictCommand, in folder: String) async throws -> Self {
        let python = try PythonEnvironment.interpreter(bench.python ?? "python3")
        var bytes: [UInt8] = []
        JSONNode.object([
            .init(key: "folder", value: .string(folder)),
            .init(key: "library", value: .string(bench.library.rawValue)),
            .init(key: "rows", value: .int(Int64(bench.rows))),
            .init(key: "columns", value: .int(Int64(bench.columns))),
            .init(key: "trees", value: .int(Int64(bench.trees))),
            .init(key: "depth", value: .int(Int64(bench.depth))),
        ]).write(to: &bytes)
        let hello = bytes
        let shows = !bench.options.json
        return try await BlockingThread.run {
            let pipe = try WorkerPipe(
                [python, "-c", script], environment: PythonEnvironment.environment(), shows: shows)
            do {
                let answer = try members(pipe.exchange(hello, within: .seconds(3_600)))
                return LibraryBaseline(version: answer["version"]?.text ?? "?", pipe: pipe)
            } catch {
                pipe.end()
                throw error
            }
        }
    }

    /// Lets it score all rows, and write what it gives to `predictions`, doubles.
    ///
    /// - Returns: How long scoring took.
    func predict() async throws -> Duration {
        let pipe = pipe
        let answer = try await BlockingThread.run {
            try Self.members(pipe.exchange(Array("{}".utf8), within: .seconds(3_600)))
        }
        switch answer["seconds"] {
        case .double(let seconds)?: return .seconds(seconds)
        case .int(let seconds)?: return .seconds(seconds)
        default: throw LinajeError(.internalError, "the library's process gave no time")
        }
    }

    func end() async {
        let pipe = pipe
        try? await BlockingThread.run { pipe.end() }
    }

    /// A file of doubles.
    static func doubles(_ path: String, _ count: Int) async throws -> [Double] {
        try await BlockingThread.run {
            guard let data = FileManager.default.contents(atPath: path),
                data.count == count * MemoryLayout<Double>.size
            else {
                throw LinajeError(.internalError, "\(path) does not hold \(count) doubles")
            }
            return [Double](unsafeUninitializedCapacity: count) { buffer, initialized in
                data.copyBytes(to: UnsafeMutableRawBufferPointer(buffer))
                initialized = count
            }
        }
    }

    private static func members(_ answer: [UInt8]) throws -> [String: JSONNode] {
        try JSONNodeParser.parse(answer).members(of: "the answer of the library's process")
    }

    /// The rows are what float32 holds, as the library takes them, and some of them are missing. A
    /// matrix of XGBoost remembers its predictions, so each time scores a new one.
    private static let script = #"""
        import json, os, struct, sys, time

        replies = os.fdopen(os.dup(1), "wb")
        requests = os.fdopen(os.dup(0), "rb")
        os.dup2(2, 1)

        def receive():
            head = requests.read(4)
            if len(head) < 4:
                os._exit(0)
            return json.loads(requests.read(struct.unpack(">I", head)[0]))

        def send(answer):
            body = json.dumps(answer).encode()
            replies.write(struct.pack(">I", len(body)) + body)
            replies.flush()

        import numpy as np
        wanted = receive()
        name, columns = wanted["library"], wanted["columns"]
        folder = os.path.join(wanted["folder"], "model")
        os.mkdir(folder)
        dice = np.random.default_rng(20260101)

        def rows(count):
            made = dice.standard_normal((count, columns), dtype=np.float32)
            made[dice.random((count, columns), dtype=np.float32) < 0.01] = np.nan
            return made

        known = rows(20_000)
        target = np.nansum(known[:, : max(1, columns // 2)] ** 2, axis=1) + dice.random(20_000)
        data = rows(wanted["rows"])
        data.astype("<f8").tofile(os.path.join(wanted["folder"], "rows"))
        if name == "xgboost":
            import xgboost as library
            booster = library.train(
                {"max_depth": wanted["depth"], "eta": 0.05, "tree_method": "hist", "seed": 1},
                library.DMatrix(known, target), wanted["trees"])
            booster.save_model(os.path.join(folder, "model.ubj"))
            booster.set_param({"nthread": 1})
        else:
            import lightgbm as library
            booster = library.train(
                {"max_depth": wanted["depth"], "num_leaves": 2 ** wanted["depth"], "seed": 1,
                 "learning_rate": 0.05, "verbose": -1}, library.Dataset(known, target),
                wanted["trees"])
            booster.save_model(os.path.join(folder, "model.lgb"))
            data = data.astype(np.float64)
        send({"version": library.__version__})
        while True:
            receive()
            if name == "xgboost":
                matrix = library.DMatrix(data, nthread=1)
                start = time.perf_counter()
                found = booster.predict(matrix)
            else:
                start = time.perf_counter()
                found = booster.predict(data, num_threads=1)
            seconds = time.perf_counter() - start
            found.astype("<f8").tofile(os.path.join(wanted["folder"], "predictions"))
            send({"seconds": seconds})
        """#
}
