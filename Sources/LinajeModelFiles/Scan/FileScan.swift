package import LinajeDomain
import LinajePluginKit

/// What looking for code in one file came to.
package struct FileScan: Sendable {
    /// Most names that are kept of one file.
    static let mostGlobals = 4_096

    /// What the file is: "pickle", "joblib", "torch", "npy", "zip", …
    package var format: String
    /// `nil`: it is of a format that holds no code.
    package internal(set) var verdict: ScanVerdict?
    package internal(set) var problems: [PickleProblem] = []
    /// The names that loading takes.
    package internal(set) var globals: [PickleGlobal] = []
    /// How many pickles it has.
    package internal(set) var pickles = 0

    init(_ format: String, verdict: ScanVerdict? = nil) {
        self.format = format
        self.verdict = verdict
    }

    mutating func note(_ verdict: ScanVerdict, _ message: String, at offset: UInt64 = 0) {
        self.verdict = max(self.verdict ?? .safe, verdict)
        guard problems.count < PickleMachine.mostProblems else { return }
        problems.append(PickleProblem(verdict: verdict, message: message, offset: offset))
    }

    /// Takes in a pickle of the file.
    ///
    /// - Parameter place: Which part of the file it is; empty: the file.
    mutating func add(_ report: PickleReport, in place: String = "") {
        pickles += 1
        verdict = max(verdict ?? .safe, report.verdict)
        for problem in report.problems {
            note(
                problem.verdict, place.isEmpty ? problem.message : "\(place) \(problem.message)",
                at: problem.offset)
        }
        add(globals: report.globals)
    }

    /// Takes in a file that is inside this one.
    mutating func add(_ inner: FileScan, in place: String) {
        pickles += inner.pickles
        if let verdict = inner.verdict { self.verdict = max(self.verdict ?? .safe, verdict) }
        for problem in inner.problems {
            note(problem.verdict, "\(place) \(problem.message)", at: problem.offset)
        }
        add(globals: inner.globals)
    }

    private mutating func add(globals others: [PickleGlobal]) {
        for other in others where globals.count < Self.mostGlobals && !globals.contains(other) {
            globals.append(other)
        }
    }
}

/// Bytes in memory as the file of a model.
struct BlobSource: ModelSource {
    private static let path = "bytes"
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The file, by the name that messages shall use.
    func file(_ name: String) -> ModelFile {
        ModelFile(ModelSourceFile(path: name, size: UInt64(bytes.count)), in: self)
    }

    func files() async throws -> [ModelSourceFile] {
        [ModelSourceFile(path: Self.path, size: UInt64(bytes.count))]
    }

    func read(_ path: String, offset: UInt64, length: Int) async throws -> [UInt8] {
        guard offset < UInt64(bytes.count), length > 0 else { return [] }
        let start = Int(offset)
        return Array(bytes[start..<(start + min(length, bytes.count - start))])
    }
}
