import ArgumentParser
import FoundationEssentials
import LinajeDomain
import LinajePluginKit

/// `linaje bench predict`
struct BenchPredictCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict", abstract: "Compare native scoring with the model's own library.",
        discussion: """
            Python makes a model of boosted trees and rows for it. Both score the same rows in turns, \
            each with one thread: the library in its own process, on data that it has read already; \
            Linaje as always, in a flavor process that gets the rows over its standard input. No daemon \
            is needed.

            --gate ends with 1 unless native scoring is at least as fast and gives the same.

            EXAMPLES
              linaje bench predict
              linaje bench predict --library lightgbm --rows 200000 --gate --json
            """)

    /// What is compared with.
    enum Library: String, ExpressibleByArgument, CaseIterable {
        case xgboost, lightgbm
    }

    @OptionGroup var options: GlobalOptions
    @Option(help: "The library that makes the model and scores it.")
    var library: Library = .xgboost
    @Option(help: "Rows that are scored.")
    var rows = 1_000_000
    @Option(help: "Columns of a row.")
    var columns = 30
    @Option(help: "Trees of the model.")
    var trees = 500
    @Option(help: "Depth of a tree.")
    var depth = 6
    @Option(help: "Times that each of them scores.")
    var rounds = 5
    @Option(help: "The Python interpreter, with the library; python3 if not given.")
    var python: String?
    @Flag(help: "End with 1 unless native scoring is as fast as the library and gives the same.")
    var gate = false
    @Option(help: "Where the model and rows are kept meanwhile.", completion: .directory)
    var directory: String?

    func validate() throws {
        for (name, value, most) in [
            ("rows", rows, 10_000_000), ("columns", columns, 10_000), ("trees", trees, 100_000),
            ("depth", depth, 16), ("rounds", rounds, 1_000),
        ] where !(1...most).contains(value) {
            throw ValidationError("--\(name) must be 1 to \(most).")
        }
    }

    func run() async throws {
        let folder = try BenchFolder(in: directory ?? FileManager.default.temporaryDirectory.path)
        defer { folder.remove() }
        let bar = StepBar(isQuiet: options.json)
        defer { bar.clear() }
        bar.draw("\(library.rawValue) makes a model of \(trees) trees")
        let peer = try await LibraryBaseline.start(self, in: folder.path)
        do {
            let report = try await measure(peer, in: folder.path, bar)
            await peer.end()
            bar.clear()
            try report.show(options)
        } catch {
            await peer.end()
            throw error
        }
    }

    private func measure(
        _ peer: LibraryBaseline, in folder: String, _ bar: StepBar
    ) async throws -> BenchReport {
        let source = try FolderModelSource("\(folder)/model")
        let process = PluginProcess(
            executable: try PluginPackage.host(), arguments: ["score", "--memory", "\(4 << 30)"],
            configuration: PluginProcessConfiguration(deadline: .seconds(600)))
        defer { Task { await process.shutdown() } }
        guard let scorer = try await process.remoteScorer(for: source) else {
            throw LinajeError(.failedPrecondition, "no flavor in the box scores this model")
        }
        let rows = try await LibraryBaseline.doubles("\(folder)/rows", rows * columns)
        var (native, other) = ([Duration](), [Duration]())
        var scored: [Double] = []
        for round in 0...rounds {
            bar.draw("round \(round) of \(rounds)")
            let start = ContinuousClock.now
            scored = try await scorer.score(rows)
            let elapsed = ContinuousClock.now - start
            let theirs = try await peer.predict()
            // The first one warms both up.
            guard round > 0 else { continue }
            native.append(elapsed)
            other.append(theirs)
        }
        let expected = try await LibraryBaseline.doubles("\(folder)/predictions", self.rows)
        let width = scorer.layout.width
        let difference = expected.indices.reduce(0.0) { worst, row in
            let (wanted, found) = (expected[row], scored[row * width])
            return max(worst, abs(found - wanted) / max(1, abs(wanted)))
        }
        return report(native, other, difference, peer)
    }

    private func report(
        _ native: [Duration], _ other: [Duration], _ difference: Double, _ peer: LibraryBaseline
    ) -> BenchReport {
        let (ours, theirs) = (Self.median(native), Self.median(other))
        let ratio = theirs / max(ours, 1e-9)
        var report = BenchReport()
        report.fact("library", .string(library.rawValue))
        report.fact("library_version", .string(peer.version))
        report.fact("rows", .count(rows))
        report.fact("columns", .count(columns))
        report.fact("trees", .count(trees))
        report.fact("depth", .count(depth))
        report.fact("rounds", .count(rounds))
        report.fact("native_seconds", .double(ours))
        report.fact("library_seconds", .double(theirs))
        report.fact("native_rows_per_second", .double(Double(rows) / max(ours, 1e-9)))
        report.fact("speed_ratio", .double(ratio))
        report.fact("largest_difference", .double(difference))
        report.line(
            "model", "\(trees) trees of depth \(depth), \(library.rawValue) \(peer.version)")
        report.line("rows", "\(Rendering.grouped(rows)) of \(columns) columns, \(rounds) times")
        report.line("native", "\(Rendering.decimal(ours, 3)) s (median)")
        report.line(library.rawValue, "\(Rendering.decimal(theirs, 3)) s, one thread")
        report.line("ratio", "\(Rendering.decimal(ratio, 2)) times as fast as the library")
        report.line("difference", "at most \(Rendering.number(difference))")
        if gate {
            report.check(
                .init(
                    name: "speed_ratio", noun: "native scoring is", unit: "times as fast",
                    value: ratio, bound: .atLeast(1)))
            report.check(
                .init(
                    name: "largest_difference", noun: "predictions differ by",
                    unit: "of their value",
                    value: difference, bound: .atMost(1e-6)))
        }
        return report
    }

    private static func median(_ times: [Duration]) -> Double {
        let sorted = times.map { $0 / .seconds(1) }.sorted()
        guard !sorted.isEmpty else { return .nan }
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2)
            ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}
