import LinajeDomain
import LinajePluginKit

/// A model's own input example, scored: whether what is stored still predicts, and what it did when it was
/// logged.
///
/// The example is `serving_input_example.json`, else `input_example.json`, as MLflow writes both
/// (MLflow 3, `models/utils.py`); what came of it stands in `output_example.json`, which Linaje's Python
/// client writes.
struct SelfTest: Sendable {
    /// What came of it.
    struct Outcome: Sendable {
        /// {"predictions": …} in JSON.
        var answer: [UInt8]
        /// Whether it is what the model gave when it was logged; `nil`: that is not known.
        var matches: Bool?
        /// Where the two differ, for people.
        var difference: String?
    }

    /// How far a number may be from what it was, relative to it and at least 1.
    static let tolerance = 1e-6
    private static let mostBytes = 16 << 20
    private static let serving = "serving_input_example.json"
    private static let input = "input_example.json"
    private static let output = "output_example.json"

    private let request: ScoringRequest
    private let expected: JSONNode?

    /// Whether there is an example among files.
    static func isPossible(with paths: some Sequence<String>) -> Bool {
        paths.contains { $0 == serving || $0 == input }
    }

    /// The example of a model.
    ///
    /// - Throws: `failedPrecondition` when it has none; `invalidArgument` or `limitExceeded` for one that
    ///   cannot be read. The model is closed then.
    static func take(from model: ScoredModel) async throws -> SelfTest {
        do {
            return try await SelfTest(of: model)
        } catch {
            await model.close()
            throw error
        }
    }

    private init(of model: ScoredModel) async throws {
        let source = model.source
        if source.paths.contains(Self.serving) {
            request = try ScoringRequest(
                parsing: try await source.small(Self.serving, limit: Self.mostBytes))
        } else if source.paths.contains(Self.input) {
            let value = try JSONNodeParser.parse(
                try await source.small(Self.input, limit: Self.mostBytes))
            var bytes: [UInt8] = []
            Self.request(for: value).write(to: &bytes)
            request = try ScoringRequest(parsing: bytes)
        } else {
            throw LinajeError(
                .failedPrecondition,
                "\(model.name) has no input example to try it with; log it with one (log_model(…, "
                    + "input_example=…)), or use linaje model predict with rows of your own")
        }
        guard source.paths.contains(Self.output) else {
            expected = nil
            return
        }
        let given = try JSONNodeParser.parse(
            try await source.small(Self.output, limit: Self.mostBytes))
        expected = try given.members(of: Self.output)["predictions"]
    }

    /// An example in a form of MLflow's protocol; older releases of MLflow wrote some in one.
    private static func request(for value: JSONNode) -> JSONNode {
        var form = "inputs"
        if case .object(let members) = value {
            let keys = Set(members.map(\.key))
            if !keys.isDisjoint(with: ScoringRequest.forms) { return value }
            if keys.contains("data"), keys.isSubset(of: ["columns", "data", "index"]) {
                form = "dataframe_split"
            }
        }
        return .object([.init(key: form, value: value)])
    }

    /// - Throws: what the model throws that does not predict on its own example.
    func run(on engine: any ScoringEngine) async throws -> Outcome {
        let answer = try ScoringAnswer.predictions(try await engine.predict(request)).body
        guard let expected else { return Outcome(answer: answer) }
        let found = try JSONNodeParser.parse(answer).members(of: "the answer")["predictions"]
        let difference = Self.difference(found ?? .null, expected, at: "")
        return Outcome(answer: answer, matches: difference == nil, difference: difference)
    }

    /// The first place where two answers differ.
    static func difference(_ found: JSONNode, _ expected: JSONNode, at place: String) -> String? {
        let shown = place.isEmpty ? "the whole" : place
        switch (found, expected) {
        case (.array(let found), .array(let expected)):
            guard found.count == expected.count else {
                return "\(shown) has \(found.count) values, and had \(expected.count)"
            }
            for (index, pair) in zip(found, expected).enumerated() {
                if let what = difference(pair.0, pair.1, at: "\(place)[\(index)]") { return what }
            }
            return nil
        case (.object(let found), .object(let expected)):
            let values = Dictionary(
                found.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
            guard Set(values.keys) == Set(expected.map(\.key)) else {
                return "\(shown) has other keys than it had"
            }
            for member in expected {
                let part = "\(place).\(member.key)"
                if let value = values[member.key],
                    let what = difference(value, member.value, at: part)
                {
                    return what
                }
            }
            return nil
        default:
            guard !isSame(found, expected) else { return nil }
            return "\(shown) is \(text(found)), and was \(text(expected))"
        }
    }

    private static func isSame(_ found: JSONNode, _ expected: JSONNode) -> Bool {
        guard let found = number(found), let expected = number(expected) else {
            return found == expected
        }
        return found == expected
            || abs(found - expected) <= tolerance * max(1, abs(expected))
    }

    private static func number(_ node: JSONNode) -> Double? {
        switch node {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    private static func text(_ node: JSONNode) -> String {
        var bytes: [UInt8] = []
        node.write(to: &bytes)
        return String(String(decoding: bytes, as: UTF8.self).prefix(80))
    }
}
