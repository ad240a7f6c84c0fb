import LinajeConformance
import LinajeDomain
import Testing

/// The directory of the case that runs; removed after it.
enum Scratch {
    @TaskLocal static var directory: TemporaryDirectory?

    /// A new path in it.
    static func path() throws -> String {
        "\(try #require(directory).path)/\(RunID.random())"
    }

    /// Runs a case with a directory of its own.
    static func run(_ conformance: ConformanceCase) async throws {
        try await $directory.withValue(try TemporaryDirectory()) {
            try await conformance.body()
        }
    }
}
