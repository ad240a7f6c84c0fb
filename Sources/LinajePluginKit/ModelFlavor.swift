public import LinajeDomain

/// A format of models: recognises a model directory and says what it is, without running it.
///
/// A flavor parses untrusted bytes: it uses checked readers, has bounds on everything, and never
/// traps. It sees a model only as a `ModelSource`.
public protocol ModelFlavor: Sendable {
    /// What the flavor is; its name is the one that MLmodel files use, where there is one.
    var descriptor: PluginDescriptor { get }

    /// Whether the files are a model of this flavor; looks at names and a few bytes only.
    func recognizes(_ source: any ModelSource) async throws -> Bool

    /// What the model is. Called only after `recognizes` said yes.
    ///
    /// - Throws: `invalidArgument` naming the file when the model is malformed; the registry keeps
    ///   it as a finding.
    func describe(_ source: any ModelSource) async throws -> ModelDescription

    /// Both in one call: `nil` when the files are no model of this flavor. A flavor that runs
    /// elsewhere answers it without asking twice.
    func describeIfRecognized(_ source: any ModelSource) async throws -> ModelDescription?

    /// What computes the model's predictions without its library; `nil` when this flavor, or this
    /// model, needs the library. Called only after `recognizes` said yes.
    ///
    /// - Throws: `invalidArgument` naming the file when the model is malformed.
    func scorer(for source: any ModelSource) async throws -> (any ModelScorer)?
}

extension ModelFlavor {
    public func scorer(for source: any ModelSource) async throws -> (any ModelScorer)? { nil }

    public func describeIfRecognized(_ source: any ModelSource) async throws -> ModelDescription? {
        try await recognizes(source) ? try await describe(source) : nil
    }
}

/// The files of a model, wherever they are.
public protocol ModelSource: Sendable {
    /// The files, by path.
    func files() async throws -> [ModelSourceFile]

    /// Bytes of a file; fewer only at its end.
    func read(_ path: String, offset: UInt64, length: Int) async throws -> [UInt8]
}

/// One file of a model.
public struct ModelSourceFile: Sendable, Hashable {
    public var path: String
    public var size: UInt64

    public init(path: String, size: UInt64) {
        self.path = path
        self.size = size
    }
}

extension ModelSource {
    /// A whole file that should be small.
    ///
    /// - Throws: `limitExceeded` when it has more than `limit` bytes, `notFound` when it is not
    ///   there.
    public func small(_ path: String, limit: Int) async throws -> [UInt8] {
        guard let file = try await files().first(where: { $0.path == path }) else {
            throw LinajeError(.notFound, "model has no file \"\(path)\"")
        }
        guard file.size <= UInt64(limit) else {
            throw LinajeError(
                .limitExceeded,
                "model file \"\(path)\" has \(file.size) bytes; at most \(limit) are read")
        }
        var out: [UInt8] = []
        while UInt64(out.count) < file.size {
            let part = try await read(
                path, offset: UInt64(out.count), length: Int(file.size) - out.count)
            guard !part.isEmpty else {
                throw LinajeError(.corrupt, "model file \"\(path)\" ends before its size")
            }
            out += part
        }
        return out
    }
}
