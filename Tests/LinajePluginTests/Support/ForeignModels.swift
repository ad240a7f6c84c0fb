import Foundation

/// Models of libraries that are too large to be installed for the tests, as files that
/// `Fixtures/make_foreign_models.py` wrote.
enum ForeignModels {
    /// Where they are.
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures/Foreign").path

    /// The bytes of one; none when it is not there, which every test of it notices.
    static func file(_ path: String) -> [UInt8] {
        Array(FileManager.default.contents(atPath: "\(folder)/\(path)") ?? Data())
    }
}
