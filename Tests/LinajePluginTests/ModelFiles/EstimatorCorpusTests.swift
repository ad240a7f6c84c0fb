import Foundation
import LinajeConformance
import LinajeDomain
import LinajeModelFiles
import LinajePluginKit
import Testing

/// What people write with the real libraries is not called dangerous, and hardly ever unknown. The
/// classes and their verdicts stand in `docs/scanning-corpus.md`; `LINAJE_WRITE_CORPUS=1` writes it anew.
@Suite("the corpus of harmless models", .enabled(if: TestPython.canMakeCorpus))
struct EstimatorCorpusTests {
    struct Entry: Decodable {
        var library: String
        var `class`: String
        var file: String
        var writer: String
    }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test("each is safe, at most one in fifty unknown and none dangerous")
    func verdicts() async throws {
        let directory = try TemporaryDirectory()
        let script = Self.root.appendingPathComponent(
            "Tests/LinajePluginTests/Fixtures/make_estimators.py")
        _ = try await TestPython.runAside([script.path, directory.path])
        let json = try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/corpus.json"))
        let entries = try JSONDecoder().decode([Entry].self, from: json)
        let source = DirectorySource(root: directory.path)
        let sizes = Dictionary(uniqueKeysWithValues: try await source.files().map { ($0.path, $0) })
        var rows: [String: ScanVerdict] = [:]
        for entry in entries {
            let file = ModelFile(try #require(sizes[entry.file]), in: source)
            // A plain value of protocol 0 is nothing that anybody would take for a pickle.
            let verdict = try await CodeScan().scan(file)?.verdict ?? .safe
            let row = "\(entry.library) | \(entry.class)"
            rows[row] = max(rows[row] ?? .safe, verdict)
            #expect(verdict != .dangerous, "\(entry)")
            await Task.yield()
        }
        let unknown = rows.filter { $0.value != .safe }
        #expect(unknown.count * 50 <= rows.count, "\(unknown.keys)")
        let libraries = Set(entries.map(\.library))
        #expect(
            libraries.isSuperset(of: [
                "sklearn", "xgboost", "lightgbm", "scipy", "numpy", "pandas", "skops",
            ]))
        #expect(Set(entries.map(\.class)).count >= 60)
        try compare(rows)
    }

    /// Releases of the libraries differ in the classes that they have; what both have is the same.
    private func compare(_ rows: [String: ScanVerdict]) throws {
        let path = Self.root.appendingPathComponent("docs/scanning-corpus.md")
        let lines = rows.map { "| \($0.key) | \($0.value.rawValue) |" }.sorted()
        if ProcessInfo.processInfo.environment["LINAJE_WRITE_CORPUS"] != nil {
            let text = Self.head + lines.joined(separator: "\n") + "\n"
            try text.write(to: path, atomically: true, encoding: .utf8)
        }
        let committed = Set(
            try String(contentsOf: path, encoding: .utf8).split(separator: "\n").map(String.init))
        for (row, verdict) in rows where committed.contains(where: { $0.hasPrefix("| \(row) |") }) {
            #expect(
                committed.contains("| \(row) | \(verdict.rawValue) |"),
                "run the test with LINAJE_WRITE_CORPUS=1")
        }
        #expect(committed.intersection(lines).count * 10 >= lines.count * 8)
    }

    private static let head = """
        # The corpus of harmless models

        Objects of the real libraries, fitted and written by `Tests/LinajePluginTests/Fixtures/make_estimators.py` (pickle of
        several protocols, cloudpickle, joblib packed and not, skops), with the worst verdict of the ways they are written in.
        A test makes them and compares this table (`LINAJE_WRITE_CORPUS=1` writes it anew).

        | library | class | verdict |
        |---|---|---|

        """
}
