public import LinajeDomain
import LinajeModelFiles
public import LinajePluginKit

/// Estimators of scikit-learn, and others that are made like them: written by pickle, cloudpickle,
/// joblib or skops. The pickle is read, never loaded; what loading it would run is `ScanFlavor`'s
/// question.
public struct SklearnFlavor: ModelFlavor {
    /// Most files that are looked at.
    static let mostFiles = 1_000

    public let descriptor = PluginDescriptor(name: "sklearn", kind: .modelFlavor, version: "1")

    public init() {}

    /// As only the content tells what a pickle holds, this looks at it.
    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await describeIfRecognized(source) != nil
    }

    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        guard let description = try await describeIfRecognized(source) else {
            throw LinajeError(.invalidArgument, "model has no estimator of scikit-learn")
        }
        return description
    }

    public func describeIfRecognized(_ source: any ModelSource) async throws -> ModelDescription? {
        let files = try await source.files().filter { $0.size > 0 }
            .sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        var whole: ModelDescription?
        for file in files.prefix(Self.mostFiles) {
            let model = ModelFile(file, in: source)
            guard let found = try await EstimatorFile(reading: model) else { continue }
            var description = found.description
            if whole == nil { description.flavors[0].facts["file"] = file.path }
            whole =
                whole.map { first in
                    var merged = first
                    merged.merge(description)
                    return merged
                } ?? description
        }
        return whole
    }
}
