import Foundation

/// The Python that makes real models and plays hostile plugins.
enum TestPython {
    /// What `LINAJE_TEST_PYTHON` names; then nothing is skipped.
    static let demanded: String? = ProcessInfo.processInfo.environment["LINAJE_TEST_PYTHON"]

    /// The demanded one, the repository's environment, or the system's.
    static let path: String = {
        if let demanded { return absolute(demanded) }
        let candidates = [".venv/bin/python", "/usr/bin/python3", "/usr/local/bin/python3"]
        let found = candidates.map(absolute).first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
        return found ?? "/usr/bin/python3"
    }()

    /// Whether real models can be made, or must be because somebody demanded it.
    static let canMakeModels: Bool =
        demanded != nil || ((try? run(["-c", "import numpy, safetensors, sklearn"])) ?? "x") == ""

    /// The same for the corpus of harmless models.
    static let canMakeCorpus: Bool =
        demanded != nil
        || ((try? run([
            "-c", "import cloudpickle, joblib, lightgbm, pandas, skops, sklearn, xgboost",
        ])) ?? "x") == ""

    /// The same for models of every flavor.
    static let canMakeFlavorModels: Bool =
        demanded != nil
        || ((try? run([
            "-c",
            "import gguf, lightgbm, onnx, pandas, safetensors, skl2onnx, sklearn, skops, xgboost",
        ])) ?? "x") == ""

    /// Runs Python and returns what it printed.
    ///
    /// - Throws: what it said on standard error when it failed.
    static func run(_ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let printed = output.fileHandleForReading.readDataToEndOfFile()
        let said = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(message: "\(path) failed: \(String(decoding: said, as: UTF8.self))")
        }
        return String(decoding: printed, as: UTF8.self)
    }

    /// The same without holding a thread of the pool: what takes seconds would keep other tests waiting.
    static func runAside(_ arguments: [String]) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: Result { try run(arguments) })
            }
        }
    }

    struct Failure: Error, CustomStringConvertible {
        var message: String
        var description: String { message }
    }

    private static func absolute(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.path
    }
}
