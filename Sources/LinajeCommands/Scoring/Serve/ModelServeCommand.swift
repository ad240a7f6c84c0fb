import ArgumentParser
import FoundationEssentials
import Glibc
import LinajeAgent
import LinajeClient
import LinajeDomain

/// `linaje model serve`
struct ModelServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Answer requests for predictions of a model, over HTTP.",
        discussion: """
            Speaks the scoring protocol of MLflow's model server: POST /invocations with \
            application/json (dataframe_split, dataframe_records, instances, inputs) or text/csv, GET \
            /ping, /health and /version. Nobody is asked who he is: it listens on this machine only \
            unless --host says otherwise, or on a Unix socket, whose folder says who may connect.

            The version is found once, at the start: restart it when an alias has moved. SIGTERM and \
            SIGINT let requests under way be answered and end it.

            EXAMPLES
              linaje model serve -m models:/fraud-detector@champion --port 5001
              linaje model serve -m ./model --unix-socket /run/fraud/scoring.sock
              curl -H 'Content-Type: application/json' -d '{"inputs": [[5.1, 3.5, 1.4, 0.2]]}' \
            http://127.0.0.1:5001/invocations
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var scoring: ScoringOptions
    @Option(help: "The TCP port; 0: any that is free.")
    var port: Int = 5_001
    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"
    @Option(
        name: .customLong("unix-socket"), help: "A Unix socket to listen on, instead of a port.",
        completion: .file())
    var unixSocket: String?
    @Option(help: "Longest request body.")
    var maxBody = "64MiB"
    @Option(help: "Batches computed side by side; as many as there are processors if not given.")
    var workers: Int?
    @Option(
        name: .customLong("allow-host"),
        help: "A further name by which requests may call this server; may be given again.")
    var allowedHosts: [String] = []

    /// Most bytes of a body that can be asked for.
    private static let mostBodyBytes: UInt64 = 1 << 30

    func validate() throws {
        guard (0...65_535).contains(port) else {
            throw ValidationError("--port must be 0 to 65535.")
        }
        guard (1...256).contains(workers ?? 1) else {
            throw ValidationError("--workers must be 1 to 256.")
        }
    }

    func run() async throws {
        let body = try Arguments.bytes(maxBody)
        guard body.bytes > 0, body.bytes <= Self.mostBodyBytes else {
            throw LinajeError(
                .invalidArgument, "--max-body must be 1 byte to \(ByteCount(Self.mostBodyBytes))")
        }
        let width = workers ?? min(16, ProcessInfo.processInfo.activeProcessorCount)
        let model = try await ScoredModel.find(scoring, options)
        let engine = try await model.engine(scoring, width: width, quiet: options.json)
        let configuration = ScoringServer.Configuration(
            host: host, port: port, socket: unixSocket, bodyBytes: Int(body.bytes),
            names: allowedHosts)
        do {
            let program = AgentProgram(
                json: options.json, grace: configuration.grace + .seconds(5),
                ending: "answering requests under way")
            try await program.run { stop in
                let server = ScoringServer(engine: engine, configuration: configuration)
                try await server.run(until: { await stop.wait() }) { place in
                    started(place, engine, model)
                }
            }
            await engine.shutdown()
        } catch {
            await engine.shutdown()
            throw error
        }
    }

    /// Says where it listens.
    private func started(_ place: String, _ engine: any ScoringEngine, _ model: ScoredModel) {
        guard !options.json else {
            return Output.lineNow(
                JSONValue.object([
                    ("event", .string("listening")), ("address", .string(place)),
                    ("model", .string(model.name)), ("engine", .string(engine.about)),
                ]).text)
        }
        Output.lineNow("\(printable(model.name)) on \(place), \(engine.about)")
    }
}
