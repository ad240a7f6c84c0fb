import ArgumentParser
import LinajeDomain

/// `linaje model test`
struct ModelTestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Try a model on its own input example.",
        discussion: """
            Scores the input example that was logged with the model, and compares what comes out with \
            what came out then (output_example.json), numbers to one in a million. Without the latter it \
            says only whether the model predicts. What computes is chosen as by linaje model predict.

            It ends with 1 when the model does not predict, or predicts something else.

            EXAMPLES
              linaje model test -m models:/fraud-detector@champion
              linaje model test -m ./model --engine python --json
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var scoring: ScoringOptions

    func run() async throws {
        let model = try await ScoredModel.find(scoring, options)
        let test = try await SelfTest.take(from: model)
        let engine = try await model.engine(scoring, width: 1, quiet: options.json)
        let outcome: SelfTest.Outcome
        do {
            outcome = try await test.run(on: engine)
            await engine.shutdown()
        } catch {
            await engine.shutdown()
            throw error
        }
        show(outcome, model, engine)
        if outcome.matches == false { throw ExitCode(1) }
    }

    private func show(
        _ outcome: SelfTest.Outcome, _ model: ScoredModel, _ engine: any ScoringEngine
    ) {
        if options.json {
            let answer = String(decoding: outcome.answer, as: UTF8.self)
            return Output.line(
                JSONValue.object([
                    ("model", .string(model.name)), ("engine", .string(engine.about)),
                    ("matches", outcome.matches.map { .bool($0) } ?? .null),
                    ("difference", .optional(outcome.difference)), ("answer", .string(answer)),
                ]).text)
        }
        let name = printable(model.name)
        switch outcome.matches {
        case true?: Output.line("\(name) predicts what it did when it was logged, \(engine.about)")
        case nil:
            Output.line("\(name) predicts on its input example, \(engine.about)")
            Output.note("what it gave when it was logged was not kept, so nothing is compared")
        case false?:
            Output.line(
                "\(name) predicts something else than when it was logged, \(engine.about): "
                    + printable(outcome.difference ?? ""))
        }
    }
}
