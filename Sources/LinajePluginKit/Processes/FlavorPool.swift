public import LinajeDomain

/// A few processes of one flavor executable, as a flavor: models are described side by side, and a
/// process that has described many ends and is started anew.
public actor FlavorPool: ModelFlavor {
    /// What has become of its calls.
    public struct Statistics: Sendable, Hashable {
        public var calls: UInt64 = 0
        public var failures: UInt64 = 0
        /// The message of the last failure, or empty.
        public var lastFailure = ""
        /// Processes that have been started and not ended.
        public var processes = 0
    }

    /// Models that a process describes before it is replaced: what it may leak or use up is bounded.
    public static let modelsPerProcess = 64

    private struct Member {
        var process: PluginProcess
        var underWay = 0
        var models = 0
    }

    public nonisolated let descriptor: PluginDescriptor
    private let width: Int
    private let make: @Sendable () -> PluginProcess
    private var members: [Member] = []
    private var isShutDown = false
    private var counts = Statistics()

    /// - Parameters:
    ///   - width: most processes.
    ///   - make: a process, not started.
    public init(
        _ descriptor: PluginDescriptor, width: Int = 2,
        make: @escaping @Sendable () -> PluginProcess
    ) {
        self.descriptor = descriptor
        self.width = max(1, width)
        self.make = make
    }

    public var statistics: Statistics {
        var out = counts
        out.processes = members.count
        return out
    }

    /// Starts a process unless one runs.
    ///
    /// - Returns: the names of its flavors.
    /// - Throws: `pluginFailed`.
    public func start() async throws -> [String] {
        try await with(isModel: false) { try await $0.start() }
    }

    public func recognizes(_ source: any ModelSource) async throws -> Bool {
        try await describeIfRecognized(source) != nil
    }

    public func describe(_ source: any ModelSource) async throws -> ModelDescription {
        try await with { try await $0.describe(source) }
    }

    /// - Returns: `nil` when the description is empty.
    public func describeIfRecognized(_ source: any ModelSource) async throws -> ModelDescription? {
        try await with { try await $0.describeIfRecognized(source) }
    }

    /// Ends all processes. Calls under way and later ones throw.
    public func shutdown() async {
        isShutDown = true
        let processes = members.map(\.process)
        members = []
        for process in processes { await process.shutdown() }
    }

    private func with<Value: Sendable>(
        isModel: Bool = true, _ body: (PluginProcess) async throws -> Value
    ) async throws -> Value {
        let process = try take()
        if isModel { counts.calls += 1 }
        do {
            let value = try await body(process)
            await release(process, error: nil)
            return value
        } catch {
            await release(process, error: error)
            throw error
        }
    }

    /// The process with the least to do, a new one while there is room.
    private func take() throws -> PluginProcess {
        guard !isShutDown else {
            throw LinajeError(
                .unavailable, "flavor plugin \"\(descriptor.name)\" is shut down or disabled")
        }
        if members.allSatisfy({ $0.underWay > 0 }), members.count < width {
            members.append(Member(process: make()))
        }
        guard let place = members.indices.min(by: { members[$0].underWay < members[$1].underWay })
        else { preconditionFailure("a pool has room for one process at least") }
        members[place].underWay += 1
        members[place].models += 1
        return members[place].process
    }

    private func release(_ process: PluginProcess, error: (any Error)?) async {
        if let error, (error as? LinajeError)?.code == .pluginFailed {
            counts.failures += 1
            counts.lastFailure = (error as? LinajeError)?.message ?? ""
        }
        guard let place = members.firstIndex(where: { $0.process === process }) else { return }
        members[place].underWay -= 1
        guard members[place].underWay == 0, members[place].models >= Self.modelsPerProcess else {
            return
        }
        members.remove(at: place)
        await process.shutdown()
    }
}
