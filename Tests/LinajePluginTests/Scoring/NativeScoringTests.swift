import Foundation
import LightGBMFlavor
import LinajeConformance
import LinajeDomain
import LinajePluginKit
import ONNXFlavor
import Testing
import XGBoostFlavor

/// Models of the real libraries, scored as those libraries say.
@Suite("native scoring", .enabled(if: TestPython.canMakeFlavorModels))
struct NativeScoringTests {
    struct Said: Decodable {
        var features: Int
        var width: Int
        var tolerance: Double
    }

    private static let flavors: [String: any ModelFlavor] = [
        "lightgbm": LightGBMFlavor(), "onnx": ONNXFlavor(), "xgboost": XGBoostFlavor(),
    ]

    private let directory: TemporaryDirectory
    private let said: [String: Said]

    init() async throws {
        directory = try TemporaryDirectory()
        let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures").path
        _ = try await TestPython.runAside(["\(fixtures)/make_scored_models.py", directory.path])
        let json = try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/scored.json"))
        said = try JSONDecoder().decode([String: Said].self, from: json)
    }

    private func numbers(_ name: String) throws -> [Double] {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/\(name)"))
        return data.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: 8).map {
                bytes.loadUnaligned(fromByteOffset: $0, as: Double.self)
            }
        }
    }

    private func flavor(_ name: String) throws -> any ModelFlavor {
        try #require(Self.flavors[String(name.prefix { $0 != "-" })], "\(name)")
    }

    @Test(
        "every model predicts what its library predicts, on every kind of row, and survives damage")
    func predictions() async throws {
        #expect(said.count >= 70)
        for (name, said) in said.sorted(by: { $0.key < $1.key }) {
            let source = DirectorySource(root: "\(directory.path)/\(name)")
            let scorer = try #require(try await flavor(name).scorer(for: source), "\(name)")
            #expect(scorer.layout.features.count == said.features, "\(name)")
            #expect(scorer.layout.width == said.width, "\(name)")
            let rows = try numbers("\(name).rows")
            let wanted = try numbers("\(name).predictions")
            let scored = try scorer.score(rows)
            #expect(scored.count == wanted.count, "\(name)")
            var wrong = 0
            for (score, value) in zip(scored, wanted) where score != value {
                // NaN is right for NaN, and an infinity for itself.
                if score.isNaN && value.isNaN { continue }
                if !(abs(score - value) <= said.tolerance * max(1, abs(value))) { wrong += 1 }
            }
            #expect(wrong == 0, "\(name): \(wrong) of \(wanted.count) predictions are wrong")
            await Task.yield()
        }
        let classifier = try await scorer("xgboost-classifier")
        let texts = try await scorer("onnx-logistic-texts")
        layouts(try #require(classifier).layout, try #require(texts).layout)
        try await damage()
    }

    private func scorer(_ name: String) async throws -> (any ModelScorer)? {
        try await flavor(name).scorer(for: DirectorySource(root: "\(directory.path)/\(name)"))
    }

    private func layouts(_ classifier: ScorerLayout, _ texts: ScorerLayout) {
        #expect(classifier.outputs.map(\.name) == ["predict", "probability"])
        #expect(classifier.outputs.map(\.kind) == [.int64, .float32])
        #expect(classifier.features == ["f0", "f1", "f2", "f3", "f4"])
        #expect(!classifier.hasNames)
        #expect(texts.outputs.map(\.name) == ["output_label", "output_probability"])
        #expect(texts.outputs[0].kind == .label)
        #expect(texts.outputs[0].labels == ["no", "yes"])
    }

    /// Torn and changed files make no scorer, or one that scores; they never crash, and what they
    /// throw names the file.
    private func damage() async throws {
        let names = [
            "xgboost-categories", "xgboost-stumps", "xgboost-softmax", "lightgbm-categories",
            "lightgbm-multiclass", "onnx-forest-texts", "onnx-sgd-log-three",
        ]
        var random = SeededGenerator(seed: 20_261_127)
        for name in names {
            let source = DirectorySource(root: "\(directory.path)/\(name)")
            let files = try await source.contents()
            let (path, bytes) = try #require(files.first { $0.key.hasPrefix("model.") })
            for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 60)) {
                try await check(name, path, Array(bytes.prefix(count)))
            }
            for _ in 0..<60 {
                var changed = bytes
                for _ in 0..<(1 + Int(random.next() % 4)) {
                    let place = Int(random.next() % UInt64(changed.count))
                    switch random.next() % 3 {
                    case 0: changed[place] = UInt8(truncatingIfNeeded: random.next())
                    case 1: changed[place] ^= 1 << UInt8(random.next() % 8)
                    default: changed[place] = bytes[Int(random.next() % UInt64(bytes.count))]
                    }
                }
                try await check(name, path, changed)
            }
        }
    }

    private func check(_ name: String, _ path: String, _ bytes: [UInt8]) async throws {
        await Task.yield()
        let source = MemoryModelSource([path: bytes])
        let scorer: (any ModelScorer)?
        do {
            guard try await flavor(name).recognizes(source) else { return }
            scorer = try await flavor(name).scorer(for: source)
        } catch let error as LinajeError {
            #expect(error.code == .invalidArgument, "\(name): \(error)")
            #expect(error.message.contains(path), "\(name): \(error)")
            return
        }
        guard let scorer, scorer.layout.features.count <= 4_096 else { return }
        // XGBoost's Boosters refuse what is infinite in float32.
        let most = name.hasPrefix("xgboost-") ? Double(Float.greatestFiniteMagnitude) : .infinity
        let values: [Double] = [0, -1, .nan, most, -most, min(1e300, most), 3.5, 1e-36, 40]
        let rows = (0..<(scorer.layout.features.count * 9)).map { values[($0 * 7 + $0 / 9) % 9] }
        #expect(try scorer.score(rows).count == 9 * scorer.layout.width, "\(name)")
    }
}
