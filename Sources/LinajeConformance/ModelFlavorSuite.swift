import LinajeDomain
public import LinajePluginKit

/// A model directory for a case.
public struct ConformanceModel: Sendable {
    public var name: String
    /// The files by path.
    public var files: [String: [UInt8]]

    public init(_ name: String, files: [String: [UInt8]]) {
        self.name = name
        self.files = files
    }
}

/// What every `ModelFlavor` must do.
public enum ModelFlavorSuite {
    /// Most bytes that a flavor may read to describe one of the models.
    public static let mostBytesRead = 64 << 20
    /// Most bytes it may ask for at once.
    public static let mostBytesAtOnce = 16 << 20

    /// The cases.
    ///
    /// - Parameters:
    ///   - good: Models that the flavor describes, small ones: they are torn and damaged many
    ///     times.
    ///   - bad: Models that the flavor must refuse with a `LinajeError`, or describe with a
    ///     finding that is a warning or graver.
    ///   - seed: What the damage is made from; every failure names it.
    public static func cases(
        flavor: any ModelFlavor, good: [ConformanceModel], bad: [ConformanceModel],
        seed: UInt64 = 20_260_101
    ) -> [ConformanceCase] {
        identity(flavor) + good.flatMap { describing(flavor, $0) }
            + good.flatMap { damage(flavor, $0, seed: seed) } + bad.map { refusal(flavor, $0) }
            + [garbage(flavor, like: good, seed: seed)]
    }

    private static func identity(_ flavor: any ModelFlavor) -> [ConformanceCase] {
        [
            ConformanceCase("the descriptor names a model flavor") {
                try requireEqual(flavor.descriptor.kind, .modelFlavor, "the kind")
                try require(!flavor.descriptor.name.isEmpty, "the descriptor has no name")
            },
            ConformanceCase("a model without files is not recognised") {
                let source = MemoryModelSource([:])
                try requireEqual(try await flavor.recognizes(source), false, "recognizes")
                try requireEqual(
                    try await flavor.describeIfRecognized(source), nil, "the description")
            },
            ConformanceCase("files of nobody's format are not recognised") {
                let source = MemoryModelSource([
                    "notes.txt": Array("hello".utf8), "data/x.bin": [0, 1, 2],
                ])
                try requireEqual(try await flavor.recognizes(source), false, "recognizes")
            },
        ]
    }

    private static func describing(
        _ flavor: any ModelFlavor, _ model: ConformanceModel
    ) -> [ConformanceCase] {
        [
            ConformanceCase("\(model.name) is recognised and described with a flavor") {
                let source = MemoryModelSource(model.files)
                try requireEqual(try await flavor.recognizes(source), true, "recognizes")
                let description = try await flavor.describe(source)
                try require(!description.flavors.isEmpty, "the description has no flavor")
                try require(
                    description.flavors.allSatisfy { !$0.name.isEmpty }, "a flavor has no name")
            },
            ConformanceCase("\(model.name) is described the same each time") {
                let first = try await flavor.describe(MemoryModelSource(model.files))
                for _ in 0..<5 {
                    let again = try await flavor.describe(MemoryModelSource(model.files))
                    try requireEqual(again, first, "the description")
                }
            },
            ConformanceCase("\(model.name) is described from a bounded number of bytes") {
                let source = MemoryModelSource(model.files)
                _ = try await flavor.describe(source)
                try checkReads(source, of: model.name)
            },
        ]
    }

    private static func damage(
        _ flavor: any ModelFlavor, _ model: ConformanceModel, seed: UInt64
    ) -> [ConformanceCase] {
        [
            ConformanceCase("\(model.name) torn at any byte is an error or a description") {
                for (path, content) in model.files.sorted(by: { $0.key < $1.key }) {
                    let step = max(1, content.count / 400)
                    for length in stride(from: 0, to: content.count, by: step) {
                        var files = model.files
                        files[path] = Array(content[..<length])
                        try await survive(flavor, files, "\(model.name): \(path) cut at \(length)")
                    }
                }
            },
            ConformanceCase("\(model.name) with any bytes changed is an error or a description") {
                var generator = SeededGenerator(seed: seed)
                for round in 0..<400 {
                    var files = model.files
                    for (path, content) in model.files.sorted(by: { $0.key < $1.key })
                    where !content.isEmpty {
                        var content = content
                        // Most of what a parser decides on stands at the beginning.
                        let reach =
                            round.isMultiple(of: 2) ? min(content.count, 256) : content.count
                        for _ in 0...Int.random(in: 0..<4, using: &generator) {
                            content[Int.random(in: 0..<reach, using: &generator)] =
                                UInt8.random(in: 0...255, using: &generator)
                        }
                        files[path] = content
                    }
                    try await survive(
                        flavor, files, "\(model.name) damaged, seed \(seed), round \(round)")
                }
            },
        ]
    }

    private static func garbage(
        _ flavor: any ModelFlavor, like models: [ConformanceModel], seed: UInt64
    ) -> ConformanceCase {
        ConformanceCase("files of random bytes are an error or a description") {
            var generator = SeededGenerator(seed: seed)
            let paths = Set(models.flatMap(\.files.keys)).sorted()
            for round in 0..<400 {
                var files: [String: [UInt8]] = [:]
                for path in paths {
                    files[path] = generator.bytes(Int.random(in: 0..<600, using: &generator))
                }
                try await survive(flavor, files, "random bytes, seed \(seed), round \(round)")
            }
        }
    }

    private static func refusal(
        _ flavor: any ModelFlavor, _ model: ConformanceModel
    ) -> ConformanceCase {
        ConformanceCase("\(model.name) is refused or described with a warning") {
            let source = MemoryModelSource(model.files)
            do {
                guard let description = try await flavor.describeIfRecognized(source) else {
                    return
                }
                try require(
                    description.findings.contains { $0.severity != .info },
                    "\(model.name) is described without a warning")
            } catch let error as LinajeError {
                try require(!error.message.isEmpty, "the error has no message")
            }
            try checkReads(source, of: model.name)
        }
    }

    /// Describes the files; only a `LinajeError` may come of it.
    private static func survive(
        _ flavor: any ModelFlavor, _ files: [String: [UInt8]], _ what: String
    ) async throws {
        let source = MemoryModelSource(files)
        // There are many of these, and other tests run beside them.
        await Task.yield()
        do {
            _ = try await flavor.describeIfRecognized(source)
        } catch is LinajeError {
        } catch {
            throw ConformanceFailure("\(what): \(type(of: error)) is thrown, not a LinajeError")
        }
        try checkReads(source, of: what)
    }

    private static func checkReads(_ source: MemoryModelSource, of what: String) throws {
        let reads = source.reads
        try require(
            reads.bytes <= mostBytesRead, "\(what): \(reads.bytes) bytes are read to describe it")
        try require(
            reads.longest <= mostBytesAtOnce,
            "\(what): \(reads.longest) bytes are asked for at once")
    }
}
