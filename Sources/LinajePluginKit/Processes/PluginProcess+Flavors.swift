public import LinajeDomain

/// The flavors of the process, as a flavor: the process sees a model only through the questions it
/// asks on its standard output.
extension PluginProcess: ModelFlavor {
    /// Asks every flavor of the process what a model is.
    ///
    /// - Parameter deadline: Longest wait, the wait for earlier calls included.
    /// - Returns: An empty description when no flavor recognises the model.
    /// - Throws: `pluginFailed` naming the plugin when it crashed, hung or sent nonsense; an error
    ///   of the request when it refused the model; `CancellationError`.
    public func describe(
        _ source: any ModelSource, deadline: Duration
    ) async throws -> ModelDescription {
        let end = ContinuousClock.now + deadline
        return try await exclusively(until: end) { process in
            let session = try await process.running(until: end)
            return try await process.guarding(session, until: end) {
                try await session.describe(source)
            }
        }
    }

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await describeIfRecognized(source) != nil
    }

    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        try await describe(source, deadline: configuration.deadline)
    }

    /// - Returns: `nil` when the description is empty.
    public func describeIfRecognized(_ source: any ModelSource) async throws -> ModelDescription? {
        let description = try await describe(source)
        return description == ModelDescription() ? nil : description
    }
}
