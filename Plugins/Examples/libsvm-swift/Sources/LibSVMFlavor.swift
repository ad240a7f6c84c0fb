import LinajeDomain
import LinajePluginKit

/// Models of LIBSVM: text files that begin with "svm_type" (LIBSVM's README, "svm-train").
///
/// An example of a flavor: one file, one type, `@main`. Only the head of a file is read, up to the line
/// "SV"; the support vectors after it may be of any size.
@main
struct LibSVMFlavor: FlavorPlugin {
    /// Longest head in bytes.
    private static let mostHead = 64 << 10
    /// Most models of a directory.
    private static let mostFiles = 100

    let descriptor = PluginDescriptor(name: "libsvm", kind: .modelFlavor, version: "1.0.0")

    func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await !models(in: source).isEmpty
    }

    func describe(_ source: any ModelSource) async throws -> ModelDescription {
        var description = ModelDescription()
        for path in try await models(in: source) {
            let head = try LibSVMHead(
                try await source.read(path, offset: 0, length: Self.mostHead), path: path)
            if description.flavors.isEmpty {
                description.flavors = [FlavorDescription(name: "libsvm", facts: head.facts)]
            }
            if head.facts["probA"] == nil, head.facts["svm_type"] == "c_svc" {
                description.findings.append(
                    Finding(
                        severity: .info, path: path,
                        message: "was trained without -b 1: it gives no probabilities"))
            }
        }
        return description
    }

    /// The paths of the files that begin as a model does.
    private func models(in source: any ModelSource) async throws -> [String] {
        var found: [String] = []
        for file in try await source.files() where file.path.hasSuffix(".model") {
            let begin = try await source.read(file.path, offset: 0, length: 9)
            guard begin.elementsEqual("svm_type ".utf8) else { continue }
            found.append(file.path)
            guard found.count <= Self.mostFiles else {
                throw LinajeError(
                    .limitExceeded, "there are more than \(Self.mostFiles) LIBSVM models")
            }
        }
        return found
    }
}

/// The lines of a model before its support vectors: a word, and what it is.
struct LibSVMHead {
    var facts: [String: String] = [:]

    /// - Throws: `invalidArgument` naming the file, when the line "SV" is missing or a count is none.
    init(_ bytes: [UInt8], path: String) throws {
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            let words = String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 1)
            guard let key = words.first else { continue }
            if key == "SV" {
                for count in ["nr_class", "total_sv"] where facts[count].flatMap(UInt64.init) == nil
                {
                    throw LinajeError(
                        .invalidArgument, "\(path) has no \"\(count)\"; is it a model of LIBSVM?")
                }
                return
            }
            facts[String(key)] = words.count > 1 ? String(words[1]) : ""
        }
        throw LinajeError(
            .invalidArgument,
            "\(path) has no support vectors in its first \(bytes.count) bytes; it is cut off")
    }
}
