public import LinajeDomain

/// Several flavors as one: each that recognises a model describes it, and what they say is merged
/// in their order.
///
/// A flavor that fails costs its own part only: its message becomes a warning among the findings. Where
/// the flavors are those that look for code, the model is not called safe then (`failed`).
/// Files that nobody recognises give an empty description. Where none of them names a requirement, the
/// libraries of the flavors are what the model requires.
public struct CompositeFlavor: ModelFlavor {
    public let descriptor: PluginDescriptor
    /// In the order in which they are asked.
    public let flavors: [any ModelFlavor]
    private let failed: ScanVerdict?

    /// - Parameter failed: The least that a model's verdict is when a flavor failed on it; `nil`: a
    ///   failure says nothing about it.
    public init(
        _ flavors: [any ModelFlavor], name: String = "composite", version: String = "1",
        failed: ScanVerdict? = nil
    ) {
        self.flavors = flavors
        self.failed = failed
        descriptor = PluginDescriptor(name: name, kind: .modelFlavor, version: version)
    }

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        for flavor in flavors where try await flavor.recognizes(source) { return true }
        return false
    }

    /// - Throws: only when the caller no longer wants the answer.
    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        var whole = ModelDescription()
        for flavor in flavors {
            do {
                if let part = try await flavor.describeIfRecognized(source) { whole.merge(part) }
            } catch {
                if error is CancellationError || (error as? LinajeError)?.code == .cancelled {
                    throw error
                }
                whole.findings.append(Self.finding(of: flavor, error))
                whole.verdict = [whole.verdict, failed].compactMap(\.self).max()
            }
        }
        if whole.requirements.isEmpty {
            whole.requirements = LibraryRequirement.lines(whole.flavors)
        }
        return whole.bounded()
    }

    /// - Returns: `nil` when no flavor recognised the model and none failed on it.
    public func describeIfRecognized(_ source: any ModelSource) async throws -> ModelDescription? {
        let description = try await describe(source)
        return description == ModelDescription() ? nil : description
    }

    /// The first scorer that a flavor has for the model.
    ///
    /// - Throws: when there is none, what the first flavor threw that found the model malformed.
    public func scorer(for source: any ModelSource) async throws -> (any ModelScorer)? {
        try await namedScorer(for: source)?.scorer
    }

    /// The same, with the name of the flavor.
    func namedScorer(
        for source: any ModelSource
    ) async throws -> (flavor: String, scorer: any ModelScorer)? {
        var failure: (any Error)?
        for flavor in flavors {
            do {
                if try await flavor.recognizes(source),
                    let scorer = try await flavor.scorer(for: source)
                {
                    return (flavor.descriptor.name, scorer)
                }
            } catch {
                if error is CancellationError || (error as? LinajeError)?.code == .cancelled {
                    throw error
                }
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return nil
    }

    private static func finding(of flavor: any ModelFlavor, _ error: any Error) -> Finding {
        let message = (error as? LinajeError)?.message ?? "failed: \(error)"
        return Finding(severity: .warning, message: "\(flavor.descriptor.name): \(message)")
    }
}
