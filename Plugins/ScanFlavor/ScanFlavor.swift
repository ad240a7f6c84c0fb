public import LinajeDomain
import LinajeModelFiles
public import LinajePluginKit

/// Not a format but a question to every file of a model: what does loading it run?
///
/// Files are told by their content, not by their names. What is looked into, and what a verdict means,
/// is in docs/scanning.md.
public struct ScanFlavor: ModelFlavor {
    /// Most files that are looked at.
    static let mostFiles = 20_000
    /// Most files whose verdict is a fact.
    static let mostFacts = 200

    public let descriptor = PluginDescriptor(name: "scan", kind: .modelFlavor, version: "1")

    public init() {}

    /// As only the content tells, this looks at it.
    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await describeIfRecognized(source) != nil
    }

    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        try await describeIfRecognized(source) ?? ModelDescription()
    }

    /// - Returns: `nil` when no file is of a format that can hold code.
    public func describeIfRecognized(_ source: any ModelSource) async throws -> ModelDescription? {
        let files = try await source.files()
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        var description = ModelDescription()
        var facts: [String: String] = [:]
        var pickles = 0
        var names: Set<String> = []
        let scanner = CodeScan()
        for file in files.prefix(Self.mostFiles) {
            let scan: FileScan?
            do {
                scan = try await scanner.scan(ModelFile(file, in: source))
            } catch let error as LinajeError where error.code != .cancelled {
                // What could not be read was not looked at.
                description.verdict = max(description.verdict ?? .safe, .unknown)
                description.findings.append(
                    Finding(
                        severity: .warning, path: file.path,
                        message: "it was not looked at: \(error.message)"))
                continue
            }
            guard let scan, let verdict = scan.verdict else { continue }
            description.verdict = max(description.verdict ?? .safe, verdict)
            description.findings += scan.problems.map { Self.finding($0, in: file.path) }
            pickles += scan.pickles
            names.formUnion(scan.globals.map(\.path))
            if facts.count < Self.mostFacts {
                facts["file.\(file.path)"] = "\(scan.format), \(verdict.rawValue)"
            }
        }
        if files.count > Self.mostFiles {
            description.verdict = max(description.verdict ?? .safe, .unknown)
            description.findings.append(
                Finding(
                    severity: .warning,
                    message: "\(Self.mostFiles) of \(files.count) files were looked at"))
        }
        guard description.verdict != nil else { return nil }
        facts["pickles"] = String(pickles)
        facts["names"] = String(names.count)
        description.flavors = [
            FlavorDescription(name: "scan", version: descriptor.version, facts: facts)
        ]
        return description
    }

    private static func finding(_ problem: PickleProblem, in path: String) -> Finding {
        let severity: Finding.Severity =
            switch problem.verdict {
            case .safe: .info
            case .unknown: .warning
            case .dangerous: .danger
            }
        let place = problem.offset > 0 ? ", at byte \(problem.offset)" : ""
        return Finding(severity: severity, path: path, message: problem.message + place)
    }
}
