import ArgumentParser
import LinajeClient
import LinajeDomain

/// The self-test of a version that has just been registered. What came of it is kept in tags of the version.
struct RegistrationTest {
    /// Largest model that is fetched for it unasked.
    private static let mostBytes: UInt64 = 256 << 20
    private static let tag = "self_test"
    private static let answerTag = "self_test.output"
    /// Longest answer that is kept, in bytes.
    private static let mostAnswerBytes = 4_000

    let version: ModelVersion
    /// Where the files are: the folder that was registered, or `nil`.
    let folder: String?
    /// Whether it was asked for; `nil`: what costs little is done.
    let isWanted: Bool?
    let options: GlobalOptions

    /// Tries the version, unless there is nothing to try it with.
    ///
    /// - Returns: The version, with what came of it as tags, and what is to be told. The version is there
    ///   whatever happens, so nothing is thrown.
    func run(_ client: LinajeClient) async -> (version: ModelVersion, problem: String?) {
        let isAsked = isWanted == true
        guard isWanted != false, isAsked || isCheap else { return (version, nil) }
        let ready: (test: SelfTest, engine: any ScoringEngine)
        do {
            guard let found = try await prepare(isAsked) else { return (version, nil) }
            ready = found
        } catch {
            // Nothing is said of the model by what this machine lacks, or was not allowed.
            return (version, isAsked ? "it could not be tried: \(Self.text(error))" : nil)
        }
        var failure: String?
        var answer: [UInt8]?
        do {
            let outcome = try await ready.test.run(on: ready.engine)
            (failure, answer) = (outcome.difference, outcome.answer)
        } catch {
            failure = Self.text(error)
        }
        await ready.engine.shutdown()
        do {
            let changed = try await keep(failure, answer, by: ready.engine.about, client)
            return (changed, failure.map { "the self-test failed: \($0)" })
        } catch {
            return (version, "what the self-test gave is not kept: \(Self.text(error))")
        }
    }

    private static func text(_ error: any Error) -> String {
        (error as? LinajeError)?.message ?? "\(error)"
    }

    private func keep(
        _ failure: String?, _ answer: [UInt8]?, by engine: String, _ client: LinajeClient
    ) async throws -> ModelVersion {
        let result = failure.map { "failed: \($0.prefix(1_000))" } ?? "passed: \(engine)"
        var tags = [Tag(key: Self.tag, value: result)]
        if let answer, answer.count <= Self.mostAnswerBytes {
            tags.append(
                Tag(key: Self.answerTag, value: String(decoding: answer, as: UTF8.self)))
        }
        return try await client.updateModelVersion(
            version.name, version.version, tags: TagChanges(set: tags))
    }

    /// Whether there is an example, and little to fetch.
    private var isCheap: Bool {
        SelfTest.isPossible(with: version.model.files.map(\.path))
            && (folder != nil || version.size <= Self.mostBytes)
    }

    /// - Returns: `nil` when nothing computes it without Python, and nobody asked for that.
    private func prepare(
        _ isAsked: Bool
    ) async throws -> (test: SelfTest, engine: any ScoringEngine)? {
        let scoring = try ScoringOptions.parse(["--model", folder ?? version.uri])
        let model = try await ScoredModel.find(scoring, options)
        let test = try await SelfTest.take(from: model)
        if isAsked {
            return (test, try await model.engine(scoring, width: 1, quiet: options.json))
        }
        return try await model.nativeEngine(scoring, width: 1).map { (test, $0) }
    }
}
